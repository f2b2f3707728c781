"""What `shape_error` is made of: the line that failed, its operands, and the rule of the operation that they break."""
