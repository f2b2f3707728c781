"""The recorder's second load: a dozen plain locals, most of them unchanged at any line; a few calls on them."""

ROUNDS = 10_000  # about 130,000 lines


def run(rounds=ROUNDS):
    rate, scale, low, high, name, flag = 0.5, 2.0, 0, 1000, "walk", True
    width, height, seed, limit, total = 8, 4, 7, 4096, 0
    for turn in range(rounds):
        if turn > limit and flag:
            total -= width
        elif turn & 1:
            total += turn * width
        if total > high:
            total = low
        seed = (seed * 69069 + 1) & 0xFFFF
        value = seed * rate + scale
        part = value / height
        total += min(seed, limit)
        if value > high:
            part = part - width
        rest = turn & 255
        total += len(name) + rest
    return total
