/** Settings. The server's own are passed on unread: their names, defaults and descriptions in
 * package.json are written by a script from lsp_server/settings.py, as are the languages. */

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

const ON_LANGUAGE = 'onLanguage:';

/** The languages that are completed: those that wake this extension up. */
export function languages(context: vscode.ExtensionContext): string[] {
  const events = context.extension.packageJSON.activationEvents as string[];
  return events
    .filter((event) => event.startsWith(ON_LANGUAGE))
    .map((event) => event.slice(ON_LANGUAGE.length));
}

/** A setting of this extension. */
export function own<T>(name: 'program' | 'package' | 'model' | 'showDiffs'): T {
  return vscode.workspace.getConfiguration('sfumato').get<T>(name)!;
}
