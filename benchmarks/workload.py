"""What the recorder's benchmark runs: calls, loops over plain numbers, a little NumPy; about 2,000 lines a round.

As with most code that one debugs, few lines handle arrays and few are calls; here about one in twenty is either.
"""

import numpy as np

ROUNDS = 100  # about 200,000 lines
LAYERS, TURNS = 20, 12


def halved(array):
    half = array / 2
    return half


def digits(seed):
    total = 0
    turn = 0
    while turn < TURNS:
        turn += 1
        seed = (seed * 69069 + 1) & 0xFFFF
        low = seed & 255
        high = seed >> 8
        if low > high:
            total += low
        else:
            total -= turn
    return total


def mixed(hidden, weight, seed):
    hidden = np.sin(hidden @ weight)
    hidden = halved(hidden)
    score = digits(seed)
    first = float(hidden[0, 0])
    if first > 1:
        hidden = hidden / first
    return hidden, score


def encode(hidden, weight, layers, scores):
    for layer in range(layers):
        hidden, score = mixed(hidden, weight, scores + layer)
        scores += score
    return hidden, scores


def run(rounds=ROUNDS):
    hidden = np.cos(np.arange(32)).reshape(4, 8)
    weight = 4 * np.sin(np.arange(64)).reshape(8, 8)
    total = 0
    for _ in range(rounds):
        hidden, total = encode(hidden, weight, LAYERS, total)
    return total
