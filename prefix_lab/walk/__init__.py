"""The walk: what `get_peft_model(model, PrefixTuningConfig(...))` does, stage by stage, with PEFT run beside it."""

from prefix_lab.walk.compare import Check, Difference
from prefix_lab.walk.describe import Fact
from prefix_lab.walk.run import Seen, StageResult, Stop, walk

__all__ = ["Check", "Difference", "Fact", "Seen", "StageResult", "Stop", "walk"]
