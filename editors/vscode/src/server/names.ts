// The names of the language server's settings, by who may give them.
//
// Made from the server's own list by `python -m tests.editors.vscode.settings`; do not edit.

export const MACHINE: readonly string[] = [
  "model.name",
  "model.template",
  "engine.url",
  "engine.device",
  "engine.dtype",
  "engine.threads",
  "engine.context",
  "engine.slots",
  "engine.queue",
  "engine.request_seconds",
  "engine.step_seconds",
  "engine.lookup",
  "engine.linger",
  "privacy.exclude",
  "privacy.remote",
];
export const WINDOW: readonly string[] = [
  "completion.enabled",
  "completion.max_tokens",
  "completion.lines",
  "completion.prompt",
  "completion.fim_order",
  "completion.healing",
  "completion.context",
  "completion.prompt_tokens",
  "completion.temperature",
  "completion.choices",
  "completion.debounce",
  "completion.ahead",
  "chat.max_tokens",
  "chat.temperature",
  "chat.top_p",
  "chat.system",
  "chat.code_lens",
  "stats.enabled",
];
