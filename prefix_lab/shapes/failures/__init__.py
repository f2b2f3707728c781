"""What `shape_error` is made of: the line that failed, its operands, and what the operation asks of their shapes."""
