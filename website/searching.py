"""Chinese words for Sphinx's search: two signs at a time, in the index as in what is asked for.

Sphinx asks jieba, which needs a dictionary of 20 MB, and knows no words of this field; in a page it does not split what
is asked for at all. Pairs of signs need neither: what is asked for is found where all its pairs stand.
"""

import re

from sphinx.search import zh

CHINESE = re.compile("[\u4e00-\u9fff]+")


class SearchChinese(zh.SearchChinese):
    """Latin words as Sphinx has them, and each two Chinese signs that stand side by side."""

    def split(self, input: str) -> list[str]:
        latin = [word for part in CHINESE.split(input) for word in self.latin1_letters.findall(part)]
        self.latin_terms.update(latin)
        runs = CHINESE.findall(input)
        return latin + [run[at : at + 2] for run in runs for at in range(max(1, len(run) - 1))]

    def word_filter(self, stemmed_word: str) -> bool:
        return len(stemmed_word) > 1 or bool(CHINESE.fullmatch(stemmed_word))
