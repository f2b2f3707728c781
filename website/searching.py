"""Chinese words for Sphinx's search: two signs at a time, in the index as in what is asked for.

Sphinx asks jieba, which needs a dictionary of 20 MB, and knows no words of this field; in a page it does not split what
is asked for at all. Pairs of signs need neither: what is asked for is found where all its pairs stand.
"""

import re
from pathlib import Path

from sphinx.search import zh

CHINESE = re.compile("[\u4e00-\u9fff]+")


class SearchChinese(zh.SearchChinese):
    """Latin words as Sphinx has them, and each two Chinese signs that stand side by side."""

    language_name = "English"  # whose stemmer Sphinx puts into the page for Chinese, and calls by a name that it lacks
    js_splitter_code = (Path(__file__).parent / "splitting.js").read_text(encoding="utf-8")

    def split(self, input: str) -> list[str]:
        latin = [word for part in CHINESE.split(input) for word in self.latin1_letters.findall(part)]
        self.latin_terms.update(latin)
        runs = CHINESE.findall(input)
        return latin + [run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))]

    def word_filter(self, stemmed_word: str) -> bool:
        return len(stemmed_word) > 1 or bool(CHINESE.fullmatch(stemmed_word))
