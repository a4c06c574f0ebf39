--- What `setup()` takes: the defaults, and a check of what a user gives.

local M = {}

---@class opencoder.config.GhostText
---@field enabled? boolean
---@field backend? "own"|"builtin"

---@class opencoder.config.Keys
---@field accept? string|false
---@field accept_word? string|false
---@field accept_line? string|false
---@field next? string|false
---@field previous? string|false
---@field dismiss? string|false
---@field suggest? string|false

---@class opencoder.config.Explain
---@field view? "float"|"inline"

---@class opencoder.config.Chat
---@field position? "right"|"left"|"below"|"above"|"tab"
---@field size? number

---@class opencoder.Config
---@field cmd? string[]
---@field filetypes? string[]
---@field exclude_filetypes? string[]
---@field root_markers? string[]
---@field ghost_text? opencoder.config.GhostText
---@field keys? opencoder.config.Keys
---@field explain? opencoder.config.Explain
---@field chat? opencoder.config.Chat
---@field settings? opencoder.Settings

---@type opencoder.Config
M.defaults = {
  -- The language server and its arguments; empty looks for `opencoder-lsp` on your PATH, in
  -- ~/.local/bin and where mason.nvim installs.
  cmd = {},
  -- File types to attach to; empty is all of them.
  filetypes = {},
  -- File types that are left alone.
  exclude_filetypes = { "gitrebase", "help", "netrw", "oil" },
  -- What marks the folder of a project.
  root_markers = { ".git", "pyproject.toml", "package.json", "Cargo.toml", "go.mod" },
  ghost_text = {
    -- Whether suggestions are shown as you type; `:OpenCoder toggle` changes it.
    enabled = true,
    -- What asks for them and draws them: "own" is this plugin, which asks at each key, "builtin" is
    -- |vim.lsp.inline_completion| where there is one (Neovim 0.12), which waits 200 ms first.
    backend = "own",
  },
  -- Keys of insert mode, each false for none. Where there is no suggestion they do what they did
  -- before.
  keys = {
    accept = "<Tab>",
    accept_word = "<M-Right>",
    accept_line = "<M-C-Right>",
    next = "<M-]>",
    previous = "<M-[>",
    dismiss = "<C-]>",
    -- Asks for suggestions here and now, several to choose from.
    suggest = "<M-\\>",
  },
  explain = {
    -- "float" is a window under the code, "inline" are lines below the code that are not in the
    -- file.
    view = "float",
  },
  chat = {
    -- Where the chat opens: "right", "left", "below", "above" or "tab".
    position = "right",
    -- Its share of the columns or lines.
    size = 0.4,
  },
  -- Settings of the language server, which are all in `lua/opencoder/settings.lua`; what is not
  -- given here stays as it is in your settings.toml.
  settings = {},
}

M.current = M.defaults

-- Values of which only some are allowed.
local choices = {
  ["ghost_text.backend"] = { "own", "builtin" },
  ["explain.view"] = { "float", "inline" },
  ["chat.position"] = { "right", "left", "below", "above", "tab" },
}

---@param name string
---@param value any
---@param default any
---@return string? problem
local function problem_of(name, value, default)
  local is_key = vim.startswith(name, "keys.")
  if type(value) ~= type(default) and not (is_key and value == false) then
    return ("%s must be a %s"):format(name, type(default))
  end
  if choices[name] and not vim.list_contains(choices[name], value) then
    return ("%s must be one of %s"):format(name, table.concat(choices[name], ", "))
  end
end

---@param defaults table
---@param given table
---@param prefix string
---@param problems string[]
---@return table
local function merged(defaults, given, prefix, problems)
  local result = vim.deepcopy(defaults)
  for key, value in pairs(given) do
    local name, default = prefix .. key, defaults[key]
    local problem = default == nil and ("%s is unknown"):format(name)
      or problem_of(name, value, default)
    if problem then
      problems[#problems + 1] = problem
    elseif name == "settings" or type(default) ~= "table" or vim.islist(value) then
      result[key] = value
    else
      result[key] = merged(default, value, name .. ".", problems)
    end
  end
  return result
end

--- Take what a user gives; what is wrong is left out.
---@param options? opencoder.Config
---@return string[] problems
function M.set(options)
  local problems = {} ---@type string[]
  M.current = merged(M.defaults, options or {}, "", problems)
  table.sort(problems)
  return problems
end

---@param given table
---@param default any
---@param prefix string
---@param visit fun(name: string, value: any)
local function walk(given, default, prefix, visit)
  for key, value in pairs(given) do
    local name = prefix .. key
    if type(value) == "table" and not vim.islist(value) and prefix == "" then
      walk(value, type(default) == "table" and default[key] or nil, name .. ".", visit)
    else
      visit(name, value)
    end
  end
end

---@param value any
---@return string
local function as_text(value)
  return type(value) == "table" and vim.json.encode(value) or tostring(value)
end

--- Part `settings` into arguments of the server, for those of scope machine, and what the server
--- is told by LSP. An unknown name is a problem and goes nowhere.
---@return string[] arguments, table<string, table<string, any>> told, string[] problems
function M.split_settings()
  local known = require("opencoder.settings")
  local arguments, told, problems = {}, {}, {}
  walk(M.current.settings, known.defaults, "", function(name, value)
    local section, key = name:match("^([^.]+)%.(.+)$")
    if not section or (known.defaults[section] or {})[key] == nil then
      problems[#problems + 1] = ("settings.%s is unknown"):format(name)
    elseif known.machine[name] then
      vim.list_extend(arguments, { "--set", ("%s=%s"):format(name, as_text(value)) })
    else
      told[section] = told[section] or {}
      told[section][key] = value
    end
  end)
  table.sort(problems)
  return arguments, told, problems
end

return M
