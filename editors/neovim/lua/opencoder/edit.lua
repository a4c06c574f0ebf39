--- `:OpenCoder fix`, `document`, `test` and `refactor`: an answer becomes a diff to accept or not.

local View = require("opencoder.view")
local client = require("opencoder.client")
local ranges = require("opencoder.range")

local M = {}

---@class opencoder.Change to one file
---@field uri string
---@field edits lsp.TextEdit[]
---@field is_new boolean

---@param edits table[]
---@return lsp.TextEdit[]
local function plain(edits)
  -- Without annotations: Neovim would ask again what the user is about to say here.
  return vim.tbl_map(function(edit)
    return { range = edit.range, newText = edit.newText }
  end, edits)
end

--- Return what an edit of LSP does, file by file.
---@param edit lsp.WorkspaceEdit
---@return opencoder.Change[]
local function changes_of(edit)
  local changes, created = {}, {}
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.kind == "create" then
      created[change.uri] = true
    elseif not change.kind then
      local uri = change.textDocument.uri
      changes[#changes + 1] =
        { uri = uri, edits = plain(change.edits), is_new = created[uri] or false }
    end
  end
  for uri, edits in pairs(not edit.documentChanges and edit.changes or {}) do
    changes[#changes + 1] = { uri = uri, edits = plain(edits), is_new = false }
  end
  return changes
end

---@param change opencoder.Change
---@return string[]
local function lines_of(change)
  if change.is_new then
    return {}
  end
  local buf = vim.uri_to_bufnr(change.uri)
  vim.fn.bufload(buf)
  return vim.api.nvim_buf_get_lines(buf, 0, -1, false)
end

---@param change opencoder.Change
---@param encoding string
---@return string[] diff in unified form
local function diff_of(change, encoding)
  local old = lines_of(change)
  local scratch = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(scratch, 0, -1, false, old)
  vim.lsp.util.apply_text_edits(change.edits, scratch, encoding)
  local new = vim.api.nvim_buf_get_lines(scratch, 0, -1, false)
  vim.api.nvim_buf_delete(scratch, { force = true })
  local function text(lines)
    return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
  end
  local diff = vim.diff(text(old), text(new), { ctxlen = 3 }) --[[@as string]]
  local name = vim.fn.fnamemodify(vim.uri_to_fname(change.uri), ":~:.")
  local head = { "--- " .. (change.is_new and "/dev/null" or name), "+++ " .. name }
  return vim.list_extend(head, vim.split(vim.trim(diff), "\n", { plain = true }))
end

--- Make the changes; each file is one step to undo.
---@param changes opencoder.Change[]
---@param encoding string
local function apply(changes, encoding)
  for _, change in ipairs(changes) do
    local buf = vim.uri_to_bufnr(change.uri)
    vim.fn.bufload(buf)
    vim.lsp.util.apply_text_edits(change.edits, buf, encoding)
    if change.is_new then
      vim.bo[buf].buflisted = true
      vim.cmd.sbuffer(buf)
    end
  end
end

---@class opencoder.Proposal
---@field label string
---@field part opencoder.Part
---@field tick integer of the buffer when it was asked for
---@field encoding string

---@param proposal opencoder.Proposal
---@param view opencoder.View
---@param changes opencoder.Change[]
local function accept(proposal, view, changes)
  view:close()
  local buf = proposal.part.buf
  if not vim.api.nvim_buf_is_valid(buf) or vim.b[buf].changedtick ~= proposal.tick then
    local text = "the file has changed since; nothing was done"
    return require("opencoder").notify(text, vim.log.levels.WARN)
  end
  apply(changes, proposal.encoding)
end

---@param proposal opencoder.Proposal
---@param view opencoder.View
---@param edit lsp.WorkspaceEdit
local function offer(proposal, view, edit)
  local changes, diff = changes_of(edit), {}
  for _, change in ipairs(changes) do
    vim.list_extend(diff, diff_of(change, proposal.encoding))
  end
  view:set(diff, "diff")
  view:name(proposal.label, " a accept · q discard · s split ")
  for _, key in ipairs({ "a", "<CR>" }) do
    view:map(key, function()
      accept(proposal, view, changes)
    end)
  end
end

---@param label string
---@param part opencoder.Part
---@param encoding string
---@return opencoder.Proposal
local function proposal_of(label, part, encoding)
  local tick = vim.b[part.buf].changedtick
  return { label = label, part = part, tick = tick, encoding = encoding }
end

--- Show an edit as a diff, to accept or not.
---@param label string
---@param part opencoder.Part where the window opens
---@param edit lsp.WorkspaceEdit
---@param encoding string
function M.propose(label, part, edit, encoding)
  local view = View.open({ title = label, part = part })
  offer(proposal_of(label, part, encoding), view, edit)
end

---@param part opencoder.Part
---@return lsp.Diagnostic[]
local function diagnostics(part)
  local found = {}
  for _, one in ipairs(vim.diagnostic.get(part.buf)) do
    if one.lnum <= part.last and (one.end_lnum or one.lnum) >= part.first then
      found[#found + 1] = vim.tbl_get(one, "user_data", "lsp")
    end
  end
  return found
end

---@param kind string
---@param running vim.lsp.Client
---@param part opencoder.Part
---@param instruction? string
local function ask(kind, running, part, instruction)
  local label = kind:gsub("^%l", string.upper)
  local call, view ---@type opencoder.Call, opencoder.View
  local proposal = proposal_of(label, part, running.offset_encoding)
  local function cancel()
    call.cancel()
  end
  view = View.open({ title = label .. " …", part = part, on_close = cancel, on_stop = cancel })
  call = client.execute(running, "opencoder." .. kind, {
    uri = vim.uri_from_bufnr(part.buf),
    range = part.range,
    instruction = instruction,
    diagnostics = kind == "fix" and diagnostics(part) or nil,
  }, {
    text = function(text)
      view:append(text)
    end,
    done = function(err, result)
      if not view:is_open() then
        return
      end
      local edit = result and result.edit
      if type(edit) == "table" then
        return offer(proposal, view, edit)
      end
      view:name(
        ("%s: %s"):format(label, err or result.reason or "no change"),
        " q close · s split "
      )
    end,
  })
end

--- Let the model work on a range, or on what is at the cursor; words behind the command say what
--- is wanted, and `refactor` asks for them.
---@param kind "fix"|"document"|"test"|"refactor"
---@param command opencoder.Command
---@param words string[]
---@param running vim.lsp.Client
function M.run(kind, command, words, running)
  local part = ranges.of(command, running)
  local instruction = #words > 0 and table.concat(words, " ") or nil
  if instruction or kind ~= "refactor" then
    return ask(kind, running, part, instruction)
  end
  vim.ui.input({ prompt = "Refactor: what is to change? " }, function(wish)
    if wish and vim.trim(wish) ~= "" then
      ask(kind, running, part, wish)
    end
  end)
end

return M
