--- `:checkhealth opencoder`: the plugin's own state, and what `opencoder-lsp doctor` finds.

local M = {}

local PATIENCE = 30000 -- milliseconds for the doctor, which imports nothing heavy

---@param command string[]
---@return vim.SystemCompleted?
local function run(command)
  local ok, result = pcall(function()
    return vim.system(command, { text = true }):wait(PATIENCE)
  end)
  return ok and result or nil
end

---@param finding { what: string, state: "ok"|"note"|"bad", detail: string, cure?: string }
local function tell(finding)
  local line = ("%s: %s"):format(finding.what, finding.detail)
  local cure = finding.cure ~= vim.NIL and finding.cure ~= "" and finding.cure or nil
  if finding.state == "ok" then
    vim.health.ok(line)
  elseif finding.state == "note" then
    vim.health.info(cure and ("%s (%s)"):format(line, cure) or line)
  else
    vim.health.error(line, cure and { cure } or nil)
  end
end

local function check_editor()
  vim.health.start("opencoder: Neovim")
  if vim.fn.has("nvim-0.11") == 0 then
    return vim.health.error("Neovim 0.11 or newer is needed")
  end
  local builtin = vim.lsp.inline_completion and "there" or "not there (Neovim 0.12 has it)"
  vim.health.ok(("Neovim %s; vim.lsp.inline_completion is %s"):format(vim.version(), builtin))
  local ghost = require("opencoder.ghost")
  vim.health.info("ghost text is " .. (ghost.is_on() and "on" or "off"))
end

---@return string[]? command
local function check_server()
  vim.health.start("opencoder: language server")
  local client = require("opencoder.client")
  local command = client.command()
  if not command then
    vim.health.error("opencoder-lsp is not found", {
      "Install it: `pip install opencoder-lsp[all]`, best in an environment of its own.",
      "Put it on your PATH, or give `cmd` to `setup()`.",
    })
    return nil
  end
  local result = run(vim.list_extend(vim.deepcopy(command), { "--version" }))
  if not result or result.code ~= 0 then
    vim.health.error(("%s does not run"):format(command[1]), result and { result.stderr } or nil)
    return nil
  end
  vim.health.ok(("%s: %s"):format(command[1], vim.trim(result.stdout)))
  local count = #vim.lsp.get_clients({ name = client.NAME })
  vim.health.info(("%d running in this Neovim"):format(count))
  return command
end

---@param command string[]
local function check_doctor(command)
  vim.health.start("opencoder: `opencoder-lsp doctor`")
  local arguments, _, problems = require("opencoder.config").split_settings()
  for _, problem in ipairs(problems) do
    vim.health.warn(problem)
  end
  local doctor = vim.list_extend(vim.deepcopy(command), { "doctor", "--json" })
  local result = run(vim.list_extend(doctor, arguments))
  local decoded, findings = pcall(vim.json.decode, result and result.stdout or "")
  if not decoded then
    local reason = result and vim.trim(result.stderr) or "it did not end"
    return vim.health.error("the doctor could not look: " .. reason)
  end
  vim.iter(findings):each(tell)
end

function M.check()
  check_editor()
  local command = check_server()
  if command then
    check_doctor(command)
  end
end

return M
