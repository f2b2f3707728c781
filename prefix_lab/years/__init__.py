"""PEFT of another year, beside today's: an old release in an environment of its own, walked through and recorded there.

    record_walk("peft==0.4.0")            # of prefix_lab.course: as record_walk("peft"), in the PEFT of July 2023
    prefix-lab walk --peft 0.4.0          # in a terminal: each stage then and now

`environment` makes the environment, once; `inside` is the program that runs there; `recorded` fetches the recording
back and names its axes; `beside` says of each stage what moved, what is new, and what is equal.
"""
