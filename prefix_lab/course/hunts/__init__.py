"""Ten copies of a stage of the walk for lesson 14, each with one mistake, and what it takes to hunt and mend them.

`hunt_01` to `hunt_10` are the copies. `mending` puts a learner's line into one, `trials` and `trials_of_models` run
what comes of it against PEFT, and `models` has the small models that they run on.
"""
