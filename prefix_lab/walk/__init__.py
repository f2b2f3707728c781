"""The walk: what `get_peft_model(model, PrefixTuningConfig(...))` does, stage by stage, with PEFT run beside it."""

from prefix_lab.walk.results import Check, Difference, Fact, Seen, StageResult, Stop
from prefix_lab.walk.run import walk

__all__ = ["Check", "Difference", "Fact", "Seen", "StageResult", "Stop", "walk"]
