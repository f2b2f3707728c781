# `make lab` opens the first lesson, `make test` checks everything; each installs what it needs into .venv, once.
# PYTHON=python3.13 chooses the interpreter that .venv is made with.

SUITABLE = import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$python -c '$(SUITABLE)' 2>/dev/null && echo $$python && break; done)
BIN = .venv/bin
# The unit suite comes first; then what is shown and the lessons, names, debuggers and terminals. Planted mistakes are
# tried two at a time anyway, so by one pytest.
ALONE = tests/planted
BROWSERS = tests/browser
# VS Code itself, headless, is 820 MB that are installed once into the user's cache folder: `make vscode-test`.
VSCODE = tests/vscode
# What is built by `make site`, in both browsers: `make site-test`.
SITE = tests/site/built
SHOWN = tests/notebooks tests/widgets tests/course
# Two at a time; who has nothing left takes from the other.
TWO = -n 2 --dist worksteal
SLOWER = tests/shapes/test_contracts.py tests/breakpoints tests/terminal
# The course opens in the reader's language: PREFIX_LAB_LANGUAGE, else the system's.
LANGUAGE = $(shell $(BIN)/python -c 'from prefix_lab.locale import language; print(language())' 2>/dev/null)
FIRST_LESSON = notebooks/$(if $(filter zh%,$(LANGUAGE)),zh,en)/00_start_here.ipynb
LAB_FLAGS = $(if $(filter 0,$(shell id -u)),--allow-root)
# JupyterLab's first question would be about news, and it would look for updates where there may be no network. And a
# double click on a folded hint would show its markup, although no one may edit it.
LAB_SETTINGS = .venv/share/jupyter/lab/settings/overrides.json
QUIET_LAB = {"@jupyterlab/apputils-extension:notification": {"checkForUpdates": false, "fetchNews": "false"}, \
	"@jupyterlab/notebook-extension:tracker": {"showEditorForReadOnlyMarkdown": false}, \
	"@jupyterlab/translation-extension:plugin": {"locale": "$(if $(filter zh%,$(LANGUAGE)),zh_CN,default)"}}

.PHONY: lab test course site site-test fuzz walk bench house notebooks browser vscode vscode-test class-test clean

lab: .venv/lab
	@echo '$(QUIET_LAB)' > $(LAB_SETTINGS)
	$(BIN)/jupyter lab $(LAB_FLAGS) --ServerApp.root_dir="$(CURDIR)" $(FIRST_LESSON)

walk: .venv/lab
	@$(BIN)/prefix-lab walk

test: .venv/test browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest $(TWO) $(addprefix --ignore=,$(SLOWER) $(SHOWN) $(ALONE) $(BROWSERS) $(VSCODE) $(SITE))
	$(BIN)/python -m tests.debugger.pythons
	$(BIN)/python -m pytest $(TWO) $(SHOWN)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(SLOWER)
	$(BIN)/python -m pytest $(ALONE)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(BROWSERS)

course: .venv/test browser
	$(BIN)/python -m pytest -s tests/browser/course.py

# All lessons are run, in both languages: some minutes. build/site/index.html opens with a double click.
site: .venv/site
	$(BIN)/python -m website

site-test: .venv/test site browser
	$(BIN)/python -m pytest $(SITE)

fuzz: .venv/test
	$(BIN)/python -m tests.parity.fuzz --examples 5000
	PREFIX_LAB_ALL_DRAWN=1 $(BIN)/python -m pytest -n 2 tests/debugger
	PREFIX_LAB_ALL_DRAWN=1 $(BIN)/python -m tests.debugger.pythons

bench: .venv/bench browser
	$(BIN)/python -m benchmarks

house: .venv/test
	@$(BIN)/python -m tests.house

notebooks: .venv/test
	$(BIN)/python -m notebooks.build
	$(BIN)/python -m notebooks.cheat_sheet
	$(BIN)/python -m notebooks.taught
	$(BIN)/python -m notebooks.messages

browser: .venv/test
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.browser.firefox

vscode: .venv/lab
	@$(BIN)/python vscode/package.py

vscode-test: .venv/test browser
	@$(BIN)/python -m tests.vscode.code_server
	$(BIN)/python -m pytest -x $(VSCODE)

class-test: .venv/class
	$(BIN)/python -m tests.hub

clean:
	rm -rf .venv *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/%: pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c '$(SUITABLE)' || \
		{ echo "prefix_lab needs Python 3.11 or newer, and PYTHON='$(PYTHON)' is not. Install one, or name it: make PYTHON=python3.13"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@mkdir -p $(dir $(LAB_SETTINGS))
	@echo '$(QUIET_LAB)' > $(LAB_SETTINGS)
	@touch $@
