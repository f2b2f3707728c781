// Walk both ways through a recording of prefix_lab. The adapter is `python -m prefix_lab dap`; what the Debug Adapter
// Protocol has no word for is asked by requests of our own, `prefixLab/…` (prefix_lab/debugger/dap/walking.py).
const vscode = require("vscode");
const childProcess = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");

const TYPE = "prefix-lab";
const VIEW = "prefix-lab.recording";
const PYTHON_FILES = [{ language: "python" }, { scheme: "debug" }];

exports.activate = (context) => {
  const stages = new Stages();
  const changed = new vscode.EventEmitter();
  const standing = vscode.window.createStatusBarItem(vscode.StatusBarAlignment.Left, 0);
  const moved = async () => {
    changed.fire();
    const told = await ask("prefixLab/stages");
    stages.show(told);
    standing.text = told ? `$(debug-line-by-line) step ${told.step} of ${told.steps - 1}${told.changed.length ? ` · changed: ${told.changed.join(", ")}` : ""}` : "";
    told ? standing.show() : standing.hide();
  };
  context.subscriptions.push(
    standing,
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, { createDebugAdapterDescriptor: adapter }),
    vscode.debug.registerDebugConfigurationProvider(TYPE, { resolveDebugConfiguration, resolveDebugConfigurationWithSubstitutedVariables }),
    vscode.debug.registerDebugConfigurationProvider(TYPE, { provideDebugConfigurations: offered }, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.debug.registerDebugAdapterTrackerFactory(TYPE, {
      createDebugAdapterTracker: () => ({ onDidSendMessage: (message) => message.event === "stopped" && moved() }),
    }),
    vscode.debug.onDidStartDebugSession((session) => session.type === TYPE && stages.begin(session)),
    vscode.debug.onDidTerminateDebugSession((session) => session.type === TYPE && moved()),
    vscode.debug.onDidChangeActiveStackItem((item) => item?.frameId !== undefined && stages.keepFocus({ stands: true })),
    stages.view,
    vscode.window.registerCustomEditorProvider(VIEW, new RecordingEditor()),
    vscode.window.tabGroups.onDidChangeTabs(openAsRecordings),
    vscode.languages.registerInlineValuesProvider(PYTHON_FILES, { onDidChangeInlineValues: changed.event, provideInlineValues }),
    vscode.languages.registerEvaluatableExpressionProvider(PYTHON_FILES, { provideEvaluatableExpression }),
    vscode.languages.registerCodeLensProvider(PYTHON_FILES, { onDidChangeCodeLenses: changed.event, provideCodeLenses }),
    vscode.commands.registerCommand("prefix-lab.walk", walk),
    vscode.commands.registerCommand("prefix-lab.goto", (step) => stages.goto(step)),
    vscode.commands.registerCommand("prefix-lab.nextStage", () => stages.beside(1)),
    vscode.commands.registerCommand("prefix-lab.previousStage", () => stages.beside(-1)),
    vscode.commands.registerCommand("prefix-lab.goToStage", goToStage),
    vscode.commands.registerCommand("prefix-lab.history", (chosen) => goToValue(chosen, true)),
    vscode.commands.registerCommand("prefix-lab.made", (chosen) => goToValue(chosen, false)),
    vscode.commands.registerCommand("prefix-lab.export", exportPage),
  );
  openAsRecordings();
};

exports.deactivate = () => {};

/** The Python that has prefix_lab: the one that is named, the folder's own, else the system's. */
function pythonOf(configuration, folder) {
  if (configuration.python) return configuration.python;
  const folders = folder ? [folder] : vscode.workspace.workspaceFolders ?? [];
  const own = folders.flatMap((one) => [".venv/bin/python", ".venv/Scripts/python.exe"].map((file) => path.join(one.uri.fsPath, file)));
  return own.find((file) => fs.existsSync(file)) ?? (process.platform === "win32" ? "python" : "python3");
}

function adapter(session) {
  const asked = session.configuration;
  if (asked.request === "attach") return new vscode.DebugAdapterServer(asked.port, "127.0.0.1");
  return new vscode.DebugAdapterExecutable(pythonOf(asked, session.workspaceFolder), ["-m", "prefix_lab", "dap", asked.recording]);
}

/** The recording whose tab is in front. */
function recordingInFront() {
  return recordingOf(vscode.window.tabGroups.activeTabGroup.activeTab);
}

function recordingOf(tab) {
  return tab?.input?.uri?.path.endsWith(".recording") ? tab.input.uri : undefined;
}

let opened = Promise.resolve();

/** A recording that was opened before this extension was there lies in a tab that calls it binary. One after the other,
 * since each tab that opens or closes asks for it anew. */
function openAsRecordings() {
  opened = opened.then(openTabsAsRecordings).catch(() => {});
}

async function openTabsAsRecordings() {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  for (const tab of tabs.filter((one) => recordingOf(one) && !(one.input instanceof vscode.TabInputCustom))) {
    const where = { viewColumn: tab.group.viewColumn, preview: tab.isPreview, preserveFocus: !tab.isActive };
    await vscode.commands.executeCommand("vscode.openWith", tab.input.uri, VIEW, where);
    await vscode.window.tabGroups.close(tab, true);
  }
}

function resolveDebugConfiguration(folder, asked) {
  if (asked.type) return asked;
  const recording = recordingInFront();
  if (recording) return { type: TYPE, request: "launch", name: path.basename(recording.fsPath), recording: recording.fsPath };
  const file = vscode.window.activeTextEditor?.document;
  return file?.languageId === "python" ? { type: TYPE, request: "launch", name: "Record this script", script: file.fileName } : asked;
}

/** A script is run and recorded first; what is missing is said before anything starts. */
async function resolveDebugConfigurationWithSubstitutedVariables(folder, asked) {
  if (asked.request === "attach" || asked.recording) return asked;
  if (!asked.script) {
    vscode.window.showErrorMessage("prefix-lab: name a `recording`, or a `script` that is recorded first, in launch.json.");
    return undefined;
  }
  const name = path.basename(asked.script, ".py");
  const recording = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "prefix-lab-")), `${name}.recording`);
  const included = (asked.include ?? []).flatMap((one) => ["--include", one]);
  const words = ["record", "--output", recording, ...included, asked.script, ...(asked.args ?? [])];
  const { printed, said } = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: `Running and recording ${name}.py`, cancellable: true },
    (_, cancelled) => run(pythonOf(asked, folder), words, path.dirname(asked.script), cancelled),
  );
  if (fs.existsSync(recording)) return { ...asked, recording, printed };
  vscode.window.showErrorMessage(`prefix-lab: ${path.basename(asked.script)} was not recorded. ${said.trim().split("\n").pop()}`);
  return undefined;
}

/** Run `python -m prefix_lab` with these words; what it printed, and what it says on standard error. */
function run(python, words, folder, cancelled) {
  return new Promise((done) => {
    const [printed, said] = [[], []];
    const process = childProcess.spawn(python, ["-m", "prefix_lab", ...words], { cwd: folder });
    cancelled?.onCancellationRequested(() => process.kill());
    process.stdout.on("data", (text) => printed.push(text));
    process.stderr.on("data", (text) => said.push(text));
    process.on("error", (error) => done({ said: `${python}: ${error.message}` }));
    process.on("close", () => done({ printed: Buffer.concat(printed).toString(), said: Buffer.concat(said).toString() }));
  });
}

/** What "Select and Start Debugging" offers: each recording of the folder. */
async function offered(folder) {
  const found = await vscode.workspace.findFiles(folder ? new vscode.RelativePattern(folder, "**/*.recording") : "**/*.recording", "**/.venv/**", 50);
  return found.map((one) => ({ type: TYPE, request: "launch", name: path.basename(one.fsPath), recording: one.fsPath }));
}

function walk(uri) {
  const recording = uri ?? recordingInFront();
  if (recording) vscode.debug.startDebugging(undefined, { type: TYPE, request: "launch", name: path.basename(recording.fsPath), recording: recording.fsPath });
}

/** A request of our own to the session in front; undefined where that is not ours, or it has no answer. */
async function ask(command, given) {
  const session = vscode.debug.activeDebugSession;
  if (session?.type !== TYPE) return undefined;
  try {
    return await session.customRequest(command, given);
  } catch {
    return undefined;
  }
}

/** A recording's tab: a binary file that one walks through, and does not read. */
class RecordingEditor {
  openCustomDocument(uri) {
    return { uri, dispose() {} };
  }

  resolveCustomEditor(document, panel) {
    panel.webview.options = { enableScripts: true };
    panel.webview.onDidReceiveMessage(() => walk(document.uri));
    panel.webview.html = `<!DOCTYPE html><meta charset="utf-8">
      <style>body { padding: 2em; font-size: 1.1em; } button { font: inherit; padding: 6px 14px; color: var(--vscode-button-foreground); background: var(--vscode-button-background); border: none; cursor: pointer; }</style>
      <h2></h2><p>A recording of a Python program: every line that ran, and what it gave.</p>
      <p><button autofocus>Walk through it (F5)</button></p>
      <p>F10 steps over a line, F11 into a call; the buttons with arrows to the left go back.</p>
      <script>const vscode = acquireVsCodeApi(); document.querySelector("h2").textContent = ${JSON.stringify(path.basename(document.uri.fsPath)).replaceAll("<", "\\u003c")};
      document.querySelector("button").onclick = () => vscode.postMessage("walk");</script>`;
  }
}

/**
 * The walk's stages as a tree: one line a stage, in the order in which they were come through; a click goes there. When
 * the session has ended they stay, and a click begins it anew at that place.
 */
class Stages {
  constructor() {
    this.told = undefined;
    this.rows = [];
    this.session = undefined;
    this.asked = undefined; // the step gone to from here, until a stop has come of it
    this.emitter = new vscode.EventEmitter();
    this.onDidChangeTreeData = this.emitter.event;
    this.view = vscode.window.createTreeView("prefix-lab.stages", { treeDataProvider: this });
  }

  begin(session) {
    this.session = session;
    this.asked = { step: session.configuration.step ?? 0 };
    if (session.configuration.printed) vscode.debug.activeDebugConsole.append(session.configuration.printed);
    vscode.commands.executeCommand("setContext", "prefix-lab.walked", true);
    vscode.commands.executeCommand("workbench.view.debug");
  }

  show(told) {
    this.told = told ?? (this.told && { ...this.told, step: undefined });
    this.rows = (this.told?.stages ?? []).map((stage) => ({ ...stage, children: stage.runs.length > 1 ? stage.runs.map((run, at) => ({ ...stage, name: `${stage.name} ${at + 1}`, runs: [run] })) : [] }));
    this.rows.sort((one, other) => one.runs[0].first - other.runs[0].first);
    this.view.message = told || !this.rows.length ? undefined : this.canBegin() ? "The walk has ended. Choose a stage to walk on from there." : "The walk has ended. Start it again to go on.";
    this.emitter.fire();
    if (told) this.keepFocus({ told });
  }

  /** A stop puts the cursor into the editor; whoever went there from here, by keys, goes on from here. */
  keepFocus(come) {
    if (!this.asked || !Object.assign(this.asked, come).stands || !this.asked.told) return;
    const every = this.rows.flatMap((row) => [row, ...row.children]);
    const row = every.find((one) => one.runs[0].first === this.asked.step) ?? this.rows[0];
    if (row) this.view.reveal(row, { focus: true, select: true });
    this.asked = undefined;
  }

  canBegin() {
    return Boolean(this.session?.configuration.recording);
  }

  goto(step) {
    this.asked = { step };
    if (vscode.debug.activeDebugSession?.type === TYPE) return ask("prefixLab/goto", { step });
    const { workspaceFolder, configuration } = this.session;
    if (this.canBegin()) vscode.debug.startDebugging(workspaceFolder, { ...configuration, step });
  }

  /** To where the next stage begins, or the one before. */
  beside(way) {
    const { step, stages } = this.told ?? { stages: [] };
    const firsts = stages.flatMap((stage) => stage.runs.map((run) => run.first)).sort((one, other) => one - other);
    const found = way > 0 ? firsts.find((first) => first > step) : firsts.findLast((first) => first < step);
    if (found !== undefined) return ask("prefixLab/goto", { step: found });
    vscode.window.setStatusBarMessage(`prefix-lab: no stage begins ${way > 0 ? "after" : "before"} this step.`, 4000);
  }

  getChildren(row) {
    return row ? row.children : this.rows;
  }

  getParent(row) {
    return this.rows.find((one) => one.children.includes(row));
  }

  getTreeItem(row) {
    const [first] = row.runs;
    const item = new vscode.TreeItem(row.name, row.children?.length ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None);
    const here = row.runs.some((run) => run.first <= this.told.step && this.told.step <= run.last);
    item.id = row.name;
    item.description = `steps ${first.first} to ${first.last}`;
    item.tooltip = row.sentence;
    item.iconPath = new vscode.ThemeIcon(here ? "debug-stackframe" : "circle-outline");
    item.accessibilityInformation = { label: `${row.name}, ${item.description}${here ? ", you are here" : ""}. ${row.sentence}` };
    item.command = { command: "prefix-lab.goto", title: "Go there", arguments: [first.first] };
    return item;
  }
}

async function goToStage() {
  const told = await ask("prefixLab/stages");
  const items = (told?.stages ?? []).flatMap((stage) => stage.runs.map((run) => ({ label: stage.name, description: `step ${run.first}`, detail: stage.sentence, step: run.first })));
  const chosen = await vscode.window.showQuickPick(items.sort((one, other) => one.step - other.step), { placeHolder: "A stage of the walk" });
  if (chosen) ask("prefixLab/goto", { step: chosen.step });
}

/** Each value that a name took in this call, to choose from; or straight to the line that made the one it has. */
async function goToValue(chosen, toChoose) {
  const editor = vscode.window.activeTextEditor;
  const word = editor?.document.getText(editor.document.getWordRangeAtPosition(editor.selection.active));
  const given = chosen?.variable?.name?.replace(/^→ /, "") ?? (await vscode.window.showInputBox({ prompt: "A name of this function", value: word }));
  const told = await ask("prefixLab/stages");
  if (!given || !told) return;
  // Where no frame is in front, the one that the recording stands in: its number is the step's, plus one.
  const frameId = vscode.debug.activeStackItem?.frameId ?? told.step + 1;
  const found = await ask("prefixLab/history", { name: given, frameId });
  if (!found) return vscode.window.showInformationMessage(`prefix-lab: ${given} never had a value in this call.`);
  const before = found.values.filter((one) => one.step < told.step);
  const last = before[before.length - 1] ?? found.values[0];
  const items = found.values.map((one) => ({ label: one.value, description: `line ${one.line}, step ${one.step}`, step: one.step, picked: one === last }));
  const to = toChoose ? await vscode.window.showQuickPick(items, { placeHolder: `The values of ${given}, from the first on` }) : last;
  if (to) ask("prefixLab/goto", { step: to.step });
}

async function exportPage() {
  const session = vscode.debug.activeDebugSession;
  const recording = session?.configuration.recording;
  if (!recording) return vscode.window.showInformationMessage("prefix-lab: a recording that another process serves is exported there: prefix-lab export.");
  const target = await vscode.window.showSaveDialog({ defaultUri: vscode.Uri.file(recording.replace(/\.recording$/, ".html")), filters: { Page: ["html"] } });
  if (!target) return;
  const { said } = await run(pythonOf(session.configuration, session.workspaceFolder), ["export", recording, "--output", target.fsPath], path.dirname(recording));
  if (said.trim()) vscode.window.showErrorMessage(said.trim());
  else vscode.window.showInformationMessage(`prefix-lab: ${target.fsPath} opens in any browser.`);
}

/** A document as the adapter knows it: one that VS Code got from the recording has the number of its source. */
function sourceOf(document) {
  const number = Number(new URLSearchParams(document.uri.query).get("ref"));
  return document.uri.scheme === "debug" && number ? { path: document.uri.path, sourceReference: number } : { path: document.uri.fsPath };
}

/** Beside each line of this call what it gave; not `self` at every mention. */
async function provideInlineValues(document, viewPort, context) {
  const told = await ask("prefixLab/lines", { frameId: context.frameId });
  const shown = (told?.lines ?? []).filter((one) => one.line <= document.lineCount && viewPort.contains(new vscode.Position(one.line - 1, 0)));
  return shown.map((one) => new vscode.InlineValueText(document.lineAt(one.line - 1).range, one.text));
}

/** What a hover asks for: `self.embedding.weight` up to the word that is pointed at, with indices. */
function provideEvaluatableExpression(document, position) {
  const range = document.getWordRangeAtPosition(position, /[A-Za-z_]\w*(?:\[[^\][]*\]|\.[A-Za-z_]\w*)*/);
  const word = document.getWordRangeAtPosition(position, /\w+/);
  if (!range || !word) return undefined;
  const end = range.contains(word) ? word.end : range.end;
  return new vscode.EvaluatableExpression(new vscode.Range(range.start, end));
}

async function provideCodeLenses(document) {
  const told = await ask("prefixLab/counts", { source: sourceOf(document) });
  return (told?.functions ?? []).map((one) => {
    const times = (count) => (count === 1 ? "once" : `${count} times`);
    const raised = one.exceptions ? `, raised an exception ${times(one.exceptions)}` : "";
    const line = new vscode.Range(Math.max(0, one.line - 1), 0, Math.max(0, one.line - 1), 0);
    return new vscode.CodeLens(line, { title: `called ${times(one.calls)}${raised}`, command: "" });
  });
}
