"""The cheat sheet is one sheet of paper."""

import re

import pytest
from playwright.sync_api import Browser

from notebooks.cheat_sheet import PAGES


@pytest.mark.parametrize("language", PAGES)
def test_the_cheat_sheet_prints_on_one_a4_page(browser: Browser, language: str):
    page = browser.new_page()
    page.goto(PAGES[language].with_suffix(".html").as_uri())
    paper = page.pdf(prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    assert re.search(rb"/MediaBox\s*\[\s*0 0 84[12]", paper)  # points: A4, lying
