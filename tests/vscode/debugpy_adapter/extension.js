// In place of the marketplace's debugpy extension: the adapter that PyPI's debugpy brings, run by the folder's .venv.
const vscode = require("vscode");
const path = require("path");

const python = (folder) => path.join(folder.uri.fsPath, ".venv", "bin", "python");

exports.activate = (context) => {
  context.subscriptions.push(
    vscode.debug.registerDebugConfigurationProvider("debugpy", {
      resolveDebugConfigurationWithSubstitutedVariables: (folder, asked) => ({ python: python(folder), ...asked }),
    }),
    vscode.debug.registerDebugAdapterDescriptorFactory("debugpy", {
      createDebugAdapterDescriptor: ({ workspaceFolder, configuration: { connect } }) =>
        connect ? new vscode.DebugAdapterServer(connect.port, connect.host) : new vscode.DebugAdapterExecutable(python(workspaceFolder), ["-m", "debugpy.adapter"]),
    }),
  );
};
exports.deactivate = () => {};
