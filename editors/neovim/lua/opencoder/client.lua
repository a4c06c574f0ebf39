--- The language server: found, started, asked, and started again.

local config = require("opencoder.config")

local M = { NAME = "opencoder", STOPPED = "stopped" }

local SHORT_LIFE = 10 -- seconds: what ends sooner is not started again by itself
local MISSING = "opencoder-lsp is not found: install it (`pip install opencoder-lsp[all]`, best in"
  .. " an environment of its own) and put it on your PATH, or set `cmd`; then `:OpenCoder restart`"

---@class opencoder.Handlers
---@field text? fun(text: string) gets each piece of an answer as it comes
---@field done fun(err: string?, result: any) called once; `err` is STOPPED where it was cancelled

---@class opencoder.Call
---@field cancel fun()

local streams = {} ---@type table<string, fun(text: string)>
local calls = {} ---@type table<integer, table<string, fun(err: string)>> by client and token
local born = {} ---@type table<integer, integer> when each client of ours began, in nanoseconds
local leaving = {} ---@type table<integer, true> clients that we stop
local waiting = {} ---@type fun(client: vim.lsp.Client?)[]
local counter = 0

local function notify(...)
  require("opencoder").notify(...)
end

--- Return the server's command without our settings; nil where there is none.
---@return string[]?
function M.command()
  local given = config.current.cmd
  if #given > 0 then
    return vim.fn.executable(given[1]) == 1 and vim.deepcopy(given) or nil
  end
  local mason = vim.fs.joinpath(vim.fn.stdpath("data"), "mason", "bin", "opencoder-lsp")
  for _, path in ipairs({ "opencoder-lsp", "~/.local/bin/opencoder-lsp", mason }) do
    local found = vim.fn.exepath(vim.fs.normalize(path))
    if found ~= "" then
      return { found }
    end
  end
end

---@param err any
---@param params lsp.ProgressParams
---@param context lsp.HandlerContext
local function on_progress(err, params, context)
  local value, stream = params.value, streams[params.token]
  if type(value) == "table" and value.kind == "delta" then
    if stream then
      stream(value.text)
    end
    return
  end
  return vim.lsp.handlers["$/progress"](err, params, context)
end

---@param client vim.lsp.Client?
local function tell_waiting(client)
  local now = waiting
  waiting = {}
  for _, callback in ipairs(now) do
    callback(client)
  end
end

---@param code integer
---@param signal integer
---@param id integer
local function on_exit(code, signal, id)
  for _, finish in pairs(calls[id] or {}) do
    finish("the language server has ended")
  end
  local wanted, began = leaving[id], born[id]
  calls[id], leaving[id] = nil, nil
  require("opencoder.status").forget(id)
  if wanted or vim.v.exiting ~= vim.NIL then
    return
  end
  local how = signal ~= 0 and ("signal %d"):format(signal) or ("exit code %d"):format(code)
  local lived = began and (vim.uv.hrtime() - began) / 1e9 or 0
  if lived > (vim.g.opencoder_short_life or SHORT_LIFE) then
    notify(("the language server has ended (%s) and is started again"):format(how))
    M.start()
  else
    tell_waiting(nil)
    local cure = "see `:checkhealth opencoder`, then `:OpenCoder restart`"
    notify(("the language server has ended (%s): %s"):format(how, cure), vim.log.levels.ERROR)
  end
end

---@param buf integer
---@param on_dir fun(root: string?)
local function root_dir(buf, on_dir)
  local excluded = vim.list_contains(config.current.exclude_filetypes, vim.bo[buf].filetype)
  if not excluded and vim.bo[buf].buftype == "" then
    on_dir(vim.fs.root(buf, config.current.root_markers))
  end
end

---@param command string[]
---@return vim.lsp.Config
local function lsp_config(command)
  local arguments, told, problems = config.split_settings()
  for _, problem in ipairs(problems) do
    notify(problem, vim.log.levels.WARN)
  end
  local filetypes = config.current.filetypes
  return {
    cmd = vim.list_extend(command, arguments),
    filetypes = #filetypes > 0 and filetypes or nil,
    root_dir = root_dir,
    capabilities = {
      -- What Neovim can do and 0.11 does not say.
      textDocument = { inlineCompletion = { dynamicRegistration = false } },
      workspace = { workspaceEdit = { documentChanges = true } },
    },
    -- The server measures how fast you type, and a chat may name any file as it is now.
    flags = { debounce_text_changes = 0 },
    init_options = { statusNotifications = true },
    settings = { [M.NAME] = next(told) and told or vim.empty_dict() },
    handlers = {
      ["$/progress"] = on_progress,
      ["opencoder/status"] = function(_, status, context)
        require("opencoder.status").set(context.client_id, status)
      end,
    },
    on_init = function(client)
      born[client.id], calls[client.id] = vim.uv.hrtime(), {}
      tell_waiting(client)
    end,
    on_exit = vim.schedule_wrap(on_exit),
  }
end

--- Start the server for this and all later files; say what to do where it is missing.
---@return boolean
function M.start()
  local command = M.command()
  if not command then
    local given = config.current.cmd[1]
    notify(given and ("%s is not found"):format(given) or MISSING, vim.log.levels.WARN)
    return false
  end
  -- Not `vim.lsp.config(…)`, which would join it with what an earlier call left there.
  vim.lsp.config[M.NAME] = lsp_config(command)
  vim.lsp.enable(M.NAME)
  return true
end

--- End every server of ours, and start what the open files need.
function M.restart()
  local running = vim.lsp.get_clients({ name = M.NAME })
  for _, client in ipairs(running) do
    leaving[client.id] = true
    client:stop(true)
  end
  vim.wait(2000, function()
    return #vim.lsp.get_clients({ name = M.NAME }) == 0
  end, 10)
  return M.start()
end

--- Whether a client is one of ours, even if it has just ended.
---@param id integer
---@return boolean
function M.is_ours(id)
  local client = vim.lsp.get_client_by_id(id)
  return born[id] ~= nil or client ~= nil and client.name == M.NAME
end

--- Return the client of a buffer.
---@param buf integer
---@return vim.lsp.Client?
function M.of(buf)
  return vim.lsp.get_clients({ name = M.NAME, bufnr = buf })[1]
end

--- Call back with a client that is ready, the buffer's own if it has one; nil where none starts.
---@param callback fun(client: vim.lsp.Client?)
function M.with(callback)
  local client = M.of(0) or vim.lsp.get_clients({ name = M.NAME })[1]
  if client and client.initialized then
    return callback(client)
  end
  waiting[#waiting + 1] = callback
  if client or (vim.lsp.is_enabled(M.NAME) or M.start()) and M.start_without_file() then
    return
  end
  tell_waiting(nil)
end

--- Start a server in the current folder, for those who only want to chat.
---@return integer?
function M.start_without_file()
  local starting = vim.lsp.get_clients({ name = M.NAME, _uninitialized = true })[1]
  if starting then
    return starting.id
  end
  local own = vim.tbl_extend("force", vim.lsp.config[M.NAME], { root_dir = vim.uv.cwd() })
  return vim.lsp.start(own, { attach = false })
end

---@param client vim.lsp.Client
---@param id integer
---@param callback fun()
local function when_answered(client, id, callback)
  vim.api.nvim_create_autocmd("LspRequest", {
    callback = function(event)
      local data = event.data
      if data.client_id ~= client.id or data.request_id ~= id then
        return false
      end
      if data.request.type ~= "complete" then
        return false
      end
      vim.schedule(callback) -- after the handler of the answer
      return true
    end,
  })
end

--- Let the server carry out a command.
---@param client vim.lsp.Client
---@param command string
---@param argument table
---@param on opencoder.Handlers
---@return opencoder.Call
function M.execute(client, command, argument, on)
  counter = counter + 1
  local token = ("opencoder-%d-%d"):format(vim.fn.getpid(), counter)
  local open = true
  local function finish(err, result)
    if open then
      open, streams[token] = false, nil
      if calls[client.id] then
        calls[client.id][token] = nil
      end
      on.done(err, result)
    end
  end
  if on.text then
    argument = vim.tbl_extend("force", argument, { token = token })
    streams[token] = on.text
  end
  if calls[client.id] then
    calls[client.id][token] = finish
  end
  local object = next(argument) and argument or vim.empty_dict() -- else it is a list in JSON
  local params = { command = command, arguments = { object } }
  local sent, id = client:request("workspace/executeCommand", params, function(err, result)
    finish(err and err.message, result)
  end)
  if not sent then
    finish("the language server has ended")
  end
  return {
    cancel = function()
      if open and id then
        -- A chat answers with what was said so far; what answers nothing calls no handler.
        when_answered(client, id, function()
          finish(M.STOPPED)
        end)
        client:cancel_request(id)
      end
    end,
  }
end

--- Let the server carry out a command that answers at once; that it cannot is said.
---@param command string
---@param argument table
---@param on_result fun(result: any)
function M.ask(command, argument, on_result)
  M.with(function(running)
    if not running then
      return
    end
    M.execute(running, command, argument, {
      done = function(err, result)
        if err then
          return require("opencoder").notify(err, vim.log.levels.ERROR)
        end
        on_result(result)
      end,
    })
  end)
end

return M
