--- Keys of insert mode that do what they did before where there is no suggestion.

local M = {}

---@type table<string, { [1]: string, [2]?: string }> what a key calls in `opencoder`
local CALLS = {
  accept = { "accept", "all" },
  accept_word = { "accept", "word" },
  accept_line = { "accept", "line" },
  next = { "next" },
  previous = { "previous" },
  dismiss = { "dismiss" },
  suggest = { "suggest" },
}

local set = {} ---@type table<string, string> keys that were set, by what they call

---@param keys string
---@param mode string see |nvim_feedkeys()|
local function feed(keys, mode)
  -- "i" puts them before what is typed already.
  vim.api.nvim_feedkeys(keys, mode .. "i", false)
end

---@param lhs string
---@return string
local function raw(lhs)
  return vim.api.nvim_replace_termcodes(lhs, true, true, true)
end

---@param mapping table as |maparg()| has it
local function run(mapping)
  local mode = mapping.noremap == 1 and "n" or "m"
  local keys ---@type string?
  if mapping.callback then
    keys = mapping.callback()
    if mapping.expr ~= 1 then
      return
    end
  elseif mapping.expr == 1 then
    keys = vim.api.nvim_eval(mapping.rhs)
  else
    keys = raw(mapping.rhs)
  end
  if type(keys) == "string" and keys ~= "" then
    feed(mapping.replace_keycodes == 1 and raw(keys) or keys, mode)
  end
end

---@param lhs string
---@param before table
local function pass_through(lhs, before)
  if next(before) then
    run(before)
  else
    feed(raw(lhs), "n")
  end
end

---@param name string
---@param lhs string
local function map(name, lhs)
  local before = vim.fn.maparg(lhs, "i", false, true)
  local call = CALLS[name]
  vim.keymap.set("i", lhs, function()
    if not require("opencoder")[call[1]](call[2]) then
      pass_through(lhs, before)
    end
  end, { desc = "OpenCoder: " .. name:gsub("_", " ") })
  set[name] = lhs
end

--- Map the keys of a configuration; those of an earlier one go.
---@param keys opencoder.config.Keys
function M.set(keys)
  for name, lhs in pairs(set) do
    pcall(vim.keymap.del, "i", lhs)
    set[name] = nil
  end
  for name, lhs in pairs(keys) do
    if lhs then
      map(name, lhs)
    end
  end
end

return M
