"""The cheat sheet is one sheet of paper."""

import re

from playwright.sync_api import Browser

from notebooks.cheat_sheet import PRINTED


def test_the_cheat_sheet_prints_on_one_a4_page(browser: Browser):
    page = browser.new_page()
    page.goto(PRINTED.as_uri())
    paper = page.pdf(prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    assert re.search(rb"/MediaBox\s*\[\s*0 0 84[12]", paper)  # points: A4, lying
