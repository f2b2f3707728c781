"""What learners see and miss at the live stops of lessons 04 to 07, in the form of `stops.LIVE`."""

from prefix_lab.course.lessons.lesson_05 import GROUPED, MADE
from prefix_lab.course.lessons.lesson_06 import ENCODED
from tests.course.stops import Live, never, typed

CHOOSE, REGISTER = "get_peft_model", "register_peft_method"
BOTH = typed(
    f"{CHOOSE}: p peft_config.is_prompt_learning → False", f"{CHOOSE}: p peft_config.is_prompt_learning → True"
)
FILE = "peft/tuners/prefix_tuning/__init__.py"
CLIMBED = typed(f"{REGISTER}: p name → 'prefix_tuning'", f"<module>: u → > /x/{FILE}(23)<module>()", "<module>: c → ")
PREPARE, FORWARD, INIT = "_prepare_prompt_learning_config", "PrefixEncoder.forward", "PrefixEncoder.__init__"
READ = f"{PREPARE}: p peft_config.token_dim → 512"
ASKED = typed(READ, f"{PREPARE}: pp model_config → {{'d_ff': 1024,\n 'd_kv': 64}}")
TWICE = typed(f"{PREPARE}: p peft_config.token_dim → 4096", f"{PREPARE}: p peft_config.token_dim → 1024")
SMALL = f"{FORWARD}: p prefix_tokens.shape → torch.Size([3, 20, 128])"
WIDE = f"{FORWARD}: p past_key_values.shape → torch.Size([3, 20, 768])"
IN_INFERENCE = typed(f"{INIT}: p config.prefix_projection → True", f"{INIT}: p config.inference_mode → True")
GET_PROMPT = "PeftModel.get_prompt"
VIEWED = f"{GET_PROMPT}: p (past_key_values == 3400).nonzero()[0] → tensor([0, 3, 2, 2, 8])"
CUT = f"{GET_PROMPT}: p past_key_values[1].eq(3400).nonzero() → tensor([[0, 0, 2, 3, 8],\n        [0, 1, 2, 3, 8]])"
PLACES = {"after_view": (0, 3, 2, 2, 8), "layer": 1, "in_its_block": [0, 0, 2, 3, 8]}

LIVE = {
    "check_no_task_type": Live(
        [
            (BOTH, "is_prompt_learning"),
            (BOTH, "peft_config.is_prompt_learning"),
            (typed(by="debugger", at=CHOOSE), "is_prompt_learning"),
        ],
        {
            "put your answer": (BOTH, ...),
            "the same in both": (BOTH, "task_type"),
            "is not what that line asks for": (BOTH, "mixed"),
            "has not come to a stop": (never(), "is_prompt_learning"),
            "the lesson typed": (typed(f"{CHOOSE}: p 1 → 1", by="lesson"), "is_prompt_learning"),
            "without asking anything": (typed(f"{CHOOSE}: c → "), "is_prompt_learning"),
            "at both stops yet": (
                typed(f"{CHOOSE}: p peft_config.is_prompt_learning → False"),
                "is_prompt_learning",
            ),
        },
    ),
    "check_who_fills": Live(
        [
            (CLIMBED, FILE),
            (CLIMBED, "peft.tuners.prefix_tuning"),
            (CLIMBED, "tuners\\prefix_tuning\\__init__.py"),
            (typed(f"{REGISTER}: w → /x/{FILE}(23)<module>()"), FILE),
            (typed(by="debugger", at=REGISTER), FILE),
        ],
        {
            "put your answer": (CLIMBED, ...),
            "itself is written": (CLIMBED, "peft/utils/peft_types.py"),
            "still empty": (CLIMBED, "peft/mapping.py"),
            "one frame too far up": (CLIMBED, "importlib/__init__.py"),
            "the config's class is written": (CLIMBED, "peft/tuners/prefix_tuning/config.py"),
            "the class is written that is handed over": (CLIMBED, "peft/tuners/prefix_tuning/model.py"),
            "prints the caller's file": (CLIMBED, "peft/peft_model.py"),
            "the lesson typed": (typed(f"{REGISTER}: p name → 'prefix_tuning'", by="lesson"), FILE),
            "have not been there yet": (typed(f"{REGISTER}: p name → 'prefix_tuning'"), FILE),
        },
    ),
    "check_not_asked_for": Live(
        [
            (ASKED, MADE),
            (typed(READ, f"{PREPARE}: p model_config['d_kv'] → 64"), MADE | {"width_of_a_head": "['d_kv']"}),
            (typed(by="debugger", at=PREPARE), MADE),
        ],
        {
            "put your answer": (ASKED, MADE | {"token_dim": ...}),
            "run on with `r`": (ASKED, MADE | {"token_dim": 384}),
            "not true": (ASKED, MADE | {"num_attention_heads": True}),
            "does ask for it": (ASKED, MADE | {"width_of_a_head": "d_model"}),
            "feed-forward": (ASKED, MADE | {"width_of_a_head": "d_ff"}),
            "how wide is one": (ASKED, MADE | {"width_of_a_head": "num_heads"}),
            "other families": (ASKED, MADE | {"width_of_a_head": "head_dim"}),
            "the name is wanted": (ASKED, MADE | {"width_of_a_head": 64}),
            "shows all names": (ASKED, MADE | {"width_of_a_head": ["d_kv"]}),
            "still None": (typed(f"{PREPARE}: p peft_config.token_dim → None"), MADE),
            "what the model itself says": (typed(READ), MADE),
            "the lesson typed": (typed(f"{PREPARE}: p 1 → 1", by="lesson"), MADE),
        },
    ),
    "check_grouped": Live(
        [(TWICE, GROUPED), (TWICE, GROUPED | {"decided_by": " num_key_value_heads "})],
        {
            "put your answer": (TWICE, GROUPED | {"heads": ...}),
            "1024 is what it becomes": (TWICE, GROUPED | {"token_dim_first": 1024}),
            "4096 is what it was": (TWICE, GROUPED | {"token_dim_then": 4096}),
            "the width of one head": (TWICE, GROUPED | {"token_dim_then": 128}),
            "32 heads ask": (TWICE, GROUPED | {"heads": 32}),
            "is read first": (TWICE, GROUPED | {"decided_by": "num_attention_heads"}),
            "which name decides": (TWICE, GROUPED | {"decided_by": "head_dim"}),
            "leads into the second block": (TWICE, GROUPED | {"decided_by": "hidden_size"}),
            "look again": (TWICE, GROUPED | {"heads": [8]}),
            "when it was 1024 already": (typed(f"{PREPARE}: p peft_config.token_dim → 1024"), GROUPED),
            "before it was written again": (typed(f"{PREPARE}: p peft_config.token_dim → 4096"), GROUPED),
        },
    ),
    "check_encode_shapes": Live(
        [
            (typed(SMALL, WIDE), {name: f"({', '.join(axes)})" for name, axes in ENCODED.items()}),
            (typed(SMALL, WIDE), ENCODED | {"past_key_values": "batch num_virtual_tokens 2 * layers * hidden"}),
            (typed(by="debugger", at=FORWARD), ENCODED),
        ],
        {
            "put your answer": (typed(SMALL, WIDE), ENCODED | {"prefix_tokens": ...}),
            "has numbers": (typed(SMALL, WIDE), ENCODED | {"prefix_tokens": "(3, 20, 128)"}),
            "'rows' is no axis": (typed(SMALL, WIDE), ENCODED | {"prefix_tokens": "(batch, rows, hidden)"}),
            "it has 3": (typed(SMALL, WIDE), ENCODED | {"prefix_tokens": "(batch, prefix_len)"}),
            "the table is small": (typed(SMALL, WIDE), ENCODED | {"prefix_tokens": ENCODED["past_key_values"]}),
            "inside the transform": (
                typed(SMALL, WIDE),
                ENCODED | {"past_key_values": "(batch, prefix_len, encoder_hidden)"},
            ),
            "straight from the table": (
                typed(SMALL, WIDE),
                ENCODED | {"prefix_tokens": "(batch, prefix_len, encoder_hidden)"},
            ),
            "`prefix_tokens` has not": (typed(WIDE), ENCODED),
            "a factor 2": (typed(SMALL, WIDE), ENCODED | {"past_key_values": "(batch, prefix_len, layers·hidden)"}),
            "what goes into the transform": (
                typed(SMALL, WIDE),
                ENCODED | {"past_key_values": "batch prefix_len hidden"},
            ),
            "is not at its place": (typed(SMALL, WIDE), ENCODED | {"prefix_tokens": "(prefix_len, batch, hidden)"}),
            "the shape of what comes in": (typed(f"{FORWARD}: p prefix.shape → torch.Size([3, 20])"), ENCODED),
            "step over the transform, too": (typed(SMALL), ENCODED),
        },
    ),
    "check_no_transform": Live(
        [
            (IN_INFERENCE, "inference_mode"),
            (IN_INFERENCE, "config.inference_mode"),
            (typed(f"{INIT}: p config → PrefixTuningConfig(inference_mode=True, r=1)"), "not config.inference_mode"),
            (typed(by="debugger", at=INIT), "inference_mode"),
        ],
        {
            "put your answer": (IN_INFERENCE, ...),
            "as it was in training": (IN_INFERENCE, "prefix_projection"),
            "joins two names": (IN_INFERENCE, "init_weights"),
            "the lesson typed": (typed(f"{INIT}: p 1 → 1", by="lesson"), "inference_mode"),
            "print it where PEFT asks": (typed(f"{INIT}: p config.prefix_projection → True"), "inference_mode"),
        },
    ),
    "check_followed": Live(
        [
            (typed(VIEWED, CUT), PLACES),
            (typed(VIEWED, CUT), PLACES | {"after_view": (1, 3, 2, 2, 8)}),
            (typed(by="debugger", at=GET_PROMPT), PLACES),
        ],
        {
            "put your answer": (typed(VIEWED, CUT), PLACES | {"layer": ...}),
            "five whole numbers": (typed(VIEWED, CUT), PLACES | {"after_view": 3400}),
            "one whole number": (typed(VIEWED, CUT), PLACES | {"layer": "1"}),
            "the number of a piece": (typed(VIEWED, CUT), PLACES | {"layer": 2}),
            "there is no 3400": (typed(VIEWED, CUT), PLACES | {"layer": 3}),
            "where it was after the": (typed(VIEWED, CUT), PLACES | {"in_its_block": PLACES["after_view"]}),
            "the axes have another order": (typed(VIEWED, CUT), PLACES | {"after_view": PLACES["in_its_block"]}),
            "one row is one place": (typed(VIEWED, CUT), PLACES | {"in_its_block": (1, 0, 2, 3, 8)}),
            "still whole": (typed(f"{GET_PROMPT}: p past_key_values.shape → torch.Size([2, 5, 1024])"), PLACES),
            "was not printed there": (typed(VIEWED), PLACES),
        },
    ),
}
