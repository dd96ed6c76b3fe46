/** Settings. The server's own are passed on unread: their names, defaults and descriptions in
 * package.json are written by a script from lsp_server/settings.py. */

import * as vscode from 'vscode';

const SERVERS_SECTION = 'Suggestions';

interface Section {
  title: string;
  properties: Record<string, unknown>;
}

/** What the server is told, for a workspace folder or in general. */
export function serverSettings(
  context: vscode.ExtensionContext,
  scope?: vscode.Uri,
): Record<string, unknown> {
  const sections = context.extension.packageJSON.contributes.configuration as Section[];
  const names = Object.keys(sections.find((one) => one.title === SERVERS_SECTION)!.properties);
  const values = vscode.workspace.getConfiguration(undefined, scope);
  return Object.fromEntries(
    names.map((name) => [name.slice('sfumato.'.length), values.get(name)]),
  );
}

/** A setting of this extension. */
export function own<T>(name: 'program' | 'package' | 'model' | 'showDiffs'): T {
  return vscode.workspace.getConfiguration('sfumato').get<T>(name)!;
}
