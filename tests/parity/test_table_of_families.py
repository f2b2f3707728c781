"""The table of families: a drawn sample of its rows is measured again, and the page says what the rows say."""

import re

import pytest

from tests.parity.table_of_families import MARKS, MEANING, PAGE, Row, measure, page, pairs

ROWS = [
    ("BertForMaskedLM", "FEATURE_EXTRACTION", "equal"),
    ("RobertaForMaskedLM", "FEATURE_EXTRACTION", "equal"),
    ("ElectraForPreTraining", "FEATURE_EXTRACTION", "equal"),
    ("XLMRobertaForMaskedLM", "FEATURE_EXTRACTION", "equal"),
    ("EuroBertModel", "FEATURE_EXTRACTION", "equal"),
    ("Gemma4ForCausalLM", "CAUSAL_LM", "equal"),
    ("Gemma4TextModel", "FEATURE_EXTRACTION", "equal"),
    ("GPT2LMHeadModel", "CAUSAL_LM", "equal"),
    ("LlavaForConditionalGeneration", "CAUSAL_LM", "equal"),
    ("T5ForConditionalGeneration", "SEQ_2_SEQ_LM", "equal"),
    ("XLNetLMHeadModel", "CAUSAL_LM", "no effect in PEFT"),
    ("AlbertModel", "FEATURE_EXTRACTION", "no effect in PEFT"),
    ("T5EncoderModel", "FEATURE_EXTRACTION", "no effect in PEFT"),
    ("DeepseekV3ForCausalLM", "CAUSAL_LM", "both refuse"),
    ("JambaForCausalLM", "CAUSAL_LM", "both refuse"),
    ("MambaForCausalLM", "CAUSAL_LM", "both refuse"),
    ("WhisperForConditionalGeneration", "SEQ_2_SEQ_LM", "both refuse"),
    ("ViTModel", "FEATURE_EXTRACTION", "both refuse"),
    ("CanineModel", "FEATURE_EXTRACTION", "both refuse"),
    ("Qwen2AudioForConditionalGeneration", "SEQ_2_SEQ_LM", "both refuse"),
    ("RoFormerForSequenceClassification", "SEQ_CLS", "ours works alone"),
]
"""What must not change unseen; the other rows are measured by the command alone."""

ANY_WARNING = pytest.mark.filterwarnings("ignore")  # of a hundred families, and no business of ours


@ANY_WARNING
@pytest.mark.parametrize(("cls", "task", "verdict"), ROWS)
def test_a_row_that_is_measured_again_says_the_same(cls, task, verdict):
    family = next((row.family for row in pairs() if row.cls == cls), cls)
    row = measure(Row(family, cls, task))
    assert row.verdict == verdict, (row.why, row.checks)


def test_the_page_has_every_pair_and_no_other_numbers():
    text = PAGE.read_text()
    families = {row.family for row in pairs()}
    assert set(re.findall(r"^\| ([\w.-]+) \|", text, re.MULTILINE)) >= families
    assert sum(map(int, re.findall(r"^\| \S+ \| (\d+) \|", text, re.MULTILINE))) == len(list(pairs()))
    assert not [verdict for verdict in set(MARKS) - set(MEANING) if f"| {MARKS[verdict]} " in text]


def test_a_page_is_its_rows():
    rows = [
        Row("bert", "BertModel", "FEATURE_EXTRACTION", "equal"),
        Row("bert", "BertForMaskedLM", "FEATURE_EXTRACTION", "ours refuses", "BertForMaskedLM cannot"),
        Row("t5", "T5Model", "FEATURE_EXTRACTION", "not made", "still 5,000,000 parameters"),
    ]
    text = page(rows)
    assert "| bert |  |  |  |  |  | = ! |" in text
    assert "| t5 |  |  |  |  |  | · |" in text
    assert "3 pairs" in text
    assert "- … cannot: BertForMaskedLM FEATURE_EXTRACTION" in text


@ANY_WARNING
def test_a_row_with_other_numbers_is_seen(monkeypatch):
    from prefix_lab.models import PeftModel

    plain = PeftModel.encode_prefix
    monkeypatch.setattr(PeftModel, "encode_prefix", lambda model, rows: plain(model, rows) * 1.001)
    assert measure(Row("gpt2", "GPT2LMHeadModel", "CAUSAL_LM")).verdict == "OTHER NUMBERS"
