"""What each operation of torch asks of its operands' shapes: its rule.

A rule takes the operation's arguments as `reading` gives them, and yields what is broken. Rules rest on shapes, not on
torch's messages, which differ by operation and device. A rule that finds nothing says nothing.
"""

from __future__ import annotations

from prefix_lab.shapes.failures.alike import broadcast, cat, cross_entropy, into, layer_norm, stack
from prefix_lab.shapes.failures.lookup import embedding, gather, index, index_select
from prefix_lab.shapes.failures.products import Rule, addmm, attention, conv, einsum, linear, matmul, of_rank
from prefix_lab.shapes.failures.regrouping import by_keyword, by_number, expand, numbered, permute, split, view

SPREAD = """
+ - * / // % ** & | ^ < > <= >= == != add sub mul div true_divide pow maximum minimum where masked_fill lerp
addcmul addcdiv logaddexp mse_loss l1_loss kl_div
"""
WRITTEN_INTO = "= += -= *= /= add_ sub_ mul_ div_ copy_ masked_fill_"
ONE_AXIS = """
sum mean max min softmax log_softmax argmax argmin cumsum squeeze flip narrow select norm var std amax amin unbind sort
logsumexp any all prod
"""

RULES: dict[str, Rule] = {
    **dict.fromkeys(("@", "matmul", "mv", "dot", "inner"), matmul),
    **{"mm": of_rank(2), "bmm": of_rank(3), "baddbmm": lambda added, one, other, *_: of_rank(3)(one, other)},
    **{"addmm": addmm, "linear": linear, "einsum": einsum, "scaled_dot_product_attention": attention},
    **{f"conv{axes}d": conv(axes) for axes in (1, 2, 3)},
    **{f"conv_transpose{axes}d": conv(axes, transposed=True) for axes in (1, 2, 3)},
    **dict.fromkeys(SPREAD.split(), broadcast),
    **dict.fromkeys(WRITTEN_INTO.split(), into),
    **dict.fromkeys(("cat", "concat", "concatenate"), cat),
    **{"stack": stack, "layer_norm": layer_norm},
    **dict.fromkeys(("cross_entropy", "cross_entropy_loss", "nll_loss", "nll_loss_nd"), cross_entropy),
    **{"embedding": embedding, "[]": index, "index_select": index_select},
    **dict.fromkeys(("gather", "scatter", "scatter_", "scatter_add", "scatter_add_"), gather),
    **{"view": view, "reshape": view, "permute": permute, "expand": expand},
    **dict.fromkeys(("split", "split_with_sizes"), split),
    **dict.fromkeys(("transpose", "swapaxes"), numbered),
    **dict.fromkeys(ONE_AXIS.split(), by_number),
    **dict.fromkeys(("topk", "chunk", "roll", "flatten"), by_keyword),
}
"""By the name of the function, method or sign."""
