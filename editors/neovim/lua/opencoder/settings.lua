--- The settings of the language server with their defaults: what `settings` of `setup()` takes.
---
--- Made from the server's own list by `python -m tests.editors.lua_settings`; do not edit.

---@class opencoder.settings.Model
---@field name? string
---@field template? "opencoder"|"openchat"|"openchat_8192"|"chatml"

---@class opencoder.settings.Engine
---@field url? string
---@field key_file? string
---@field keyring? boolean
---@field ca_file? string
---@field device? "auto"|"cpu"|"cuda"
---@field dtype? "auto"|"bfloat16"|"float32"
---@field quantization? "none"|"int8"
---@field threads? integer
---@field context? integer
---@field slots? integer
---@field queue? integer
---@field request_seconds? number
---@field step_seconds? number
---@field lookup? boolean
---@field linger? number

---@class opencoder.settings.Completion
---@field enabled? boolean
---@field url? string
---@field model? string
---@field max_tokens? integer
---@field lines? "auto"|"single"|"multi"
---@field prompt? "auto"|"template"|"fim"|"prefix"
---@field fim_order? "psm"|"spm"
---@field healing? boolean
---@field context? boolean
---@field prompt_tokens? "auto"|integer
---@field temperature? number
---@field choices? integer
---@field debounce? "auto"|integer
---@field ahead? "auto"|boolean

---@class opencoder.settings.Chat
---@field url? string
---@field model? string
---@field max_tokens? integer
---@field temperature? number
---@field top_p? number
---@field system? string
---@field code_lens? boolean

---@class opencoder.settings.Privacy
---@field exclude? string[]
---@field remote? "workspace"|"any"

---@class opencoder.settings.Stats
---@field enabled? boolean

---@class opencoder.Settings
---@field model? opencoder.settings.Model
---@field engine? opencoder.settings.Engine
---@field completion? opencoder.settings.Completion
---@field chat? opencoder.settings.Chat
---@field privacy? opencoder.settings.Privacy
---@field stats? opencoder.settings.Stats

local M = {}

---@type opencoder.Settings
M.defaults = {
  model = {
    -- A known model, a model folder, or `auto`: OpenCoderPlus where it is pulled and the GPUs can
    -- hold it, else the demo model.
    name = "auto",
    -- Conversation template; empty for the model's own.
    template = "",
  },
  engine = {
    -- An engine elsewhere: `http://host:port` or `unix:/path`, of ours, vLLM or llama-server. Empty
    -- starts and shares one on this machine. Code and conversations are sent there.
    url = "",
    -- A file that only you can read, with the key of the engine elsewhere, or with lines
    -- `https://host:port KEY` where there are several.
    key_file = "",
    -- Whether that key is in the system's keyring, where `keyring set opencoder-lsp
    -- https://host:port` puts it (the port only where it has one).
    keyring = false,
    -- A file of certificates (PEM) that are believed at `https://` instead of the system's.
    ca_file = "",
    -- Where the model runs.
    device = "auto",
    -- Type of weights and KV cache; `auto` is bfloat16, and float32 on a CPU without fast bfloat16.
    dtype = "auto",
    -- `int8` halves the memory that weights take: they are rounded to one byte each while they are
    -- read; the files stay as they are.
    quantization = "none",
    -- CPU threads; 0 for one per core.
    threads = 0,
    -- Longest prompt and answer together, in tokens; 0 for what the model allows.
    context = 0,
    -- Requests computed side by side, each with memory for a whole context; 0 for as many as a
    -- share of the free memory holds, at most 8.
    slots = 0,
    -- Requests that may wait; one more is refused.
    queue = 32,
    -- Seconds after which a request is given up, waiting included; 0 for never.
    request_seconds = 600,
    -- Seconds after which one step of the model counts as stuck, and the engine ends, to be started
    -- anew; 0 for never.
    step_seconds = 60,
    -- Whether tokens are guessed from the prompt and verified several at a time: what greedy
    -- decoding says, sooner.
    lookup = true,
    -- Seconds that the engine lives on after the last editor has gone.
    linger = 120,
  },
  completion = {
    -- Whether completions are offered at all.
    enabled = true,
    -- Another engine than `engine.url` for completions.
    url = "",
    -- Another model than `model.name` for completions, such as the one that runs at
    -- `completion.url`.
    model = "",
    -- Longest suggestion, in tokens.
    max_tokens = 64,
    -- `single` line or `multi` (a block); `auto` is what suits the place.
    lines = "auto",
    -- `template` asks in the conversation template with a prefilled answer; `fim` uses
    -- fill-in-the-middle tokens, for models that have them; `prefix` is the bare code before the
    -- cursor, for models that were trained on nothing else; `auto` is the first of them that the
    -- model was trained for.
    prompt = "auto",
    -- Order of the `fim` prompt: prefix-suffix or suffix-prefix. The latter keeps the KV cache
    -- valid while you type.
    fim_order = "spm",
    -- Whether the model writes the blanks and the partial word left of the cursor anew, so that no
    -- word is cut where it would not cut it; off to compare.
    healing = true,
    -- Whether snippets of other files (imported, recently edited, open) go along, and the imports
    -- of a file that is too long for the prompt.
    context = true,
    -- Longest prompt, in tokens (64 or more); `auto` is what the engine prefills in half a second.
    prompt_tokens = "auto",
    -- 0 is greedy: always the likeliest token.
    temperature = 0.0,
    -- Most suggestions to choose from, where you ask for them.
    choices = 3,
    -- Milliseconds that a suggestion waits for your next key; `auto` only waits while you type
    -- faster than the engine answers.
    debounce = "auto",
    -- Whether the engine works before it is asked: on what follows the suggestion that is shown,
    -- and on the prompt where you last typed; `auto` does so on this machine.
    ahead = "auto",
  },
  chat = {
    -- Another engine than `engine.url` for chat and explanations.
    url = "",
    -- Another model than `model.name` for chat and explanations, such as the one that runs at
    -- `chat.url`.
    model = "",
    -- Longest answer, in tokens.
    max_tokens = 1024,
    -- 0 is greedy.
    temperature = 0.7,
    -- Sample from the likeliest tokens that make up this share.
    top_p = 0.9,
    -- Text put in front of the first message. OpenCoder was trained without system messages, so
    -- this is a plain part of your first message.
    system = "",
    -- Whether `Explain`, `Document` and `Test` stand above functions and classes.
    code_lens = false,
  },
  privacy = {
    -- File names, and with a final slash names of folders (shell patterns, letter case ignored),
    -- that are never sent to a model.
    exclude = {
      ".env*",
      "*.pem",
      "*.key",
      "*.p12",
      "*.pfx",
      "*.jks",
      "*.kdbx",
      "*.ppk",
      "id_*",
      ".netrc",
      ".npmrc",
      ".pypirc",
      ".pgpass",
      ".htpasswd",
      ".git-credentials",
      "credentials*",
      "*.tfstate",
      ".ssh/",
      ".gnupg/",
      ".aws/",
    },
    -- Which of the files that you work on may go to an engine on another machine: `workspace` for
    -- those in an open folder that git does not ignore, `any` for all that `privacy.exclude` and
    -- `.opencoderignore` leave.
    remote = "workspace",
  },
  stats = {
    -- Whether it is noted on this machine which suggestions were accepted, for `opencoder-lsp
    -- stats`: language, lengths, latency, model and time, never code or paths.
    enabled = true,
  },
}

-- What a workspace must not choose: passed to the server as arguments.
---@type table<string, true>
M.machine = {
  ["model.name"] = true,
  ["model.template"] = true,
  ["engine.url"] = true,
  ["engine.key_file"] = true,
  ["engine.keyring"] = true,
  ["engine.ca_file"] = true,
  ["engine.device"] = true,
  ["engine.dtype"] = true,
  ["engine.quantization"] = true,
  ["engine.threads"] = true,
  ["engine.context"] = true,
  ["engine.slots"] = true,
  ["engine.queue"] = true,
  ["engine.request_seconds"] = true,
  ["engine.step_seconds"] = true,
  ["engine.lookup"] = true,
  ["engine.linger"] = true,
  ["completion.url"] = true,
  ["completion.model"] = true,
  ["chat.url"] = true,
  ["chat.model"] = true,
  ["privacy.exclude"] = true,
  ["privacy.remote"] = true,
}

return M
