-- Argo CD gives Applications no health of their own, so a sync wave of Applications would not wait for the last one.
-- What an Application lacks does not count in its health, so one whose first objects are there is called Healthy: it
-- is when a sync has made all of them, or none was needed.
local hs = {status = "Progressing", message = ""}
local status = obj.status or {}
local health, operation = status.health or {}, status.operationState
if health.status ~= nil and health.status ~= "Missing" and health.status ~= "Unknown" then
  hs.status = health.status
  hs.message = health.message or ""
end
if hs.status == "Healthy" then
  local done = operation ~= nil and operation.phase == "Succeeded"
  local needless = operation == nil and status.sync ~= nil and status.sync.status == "Synced"
  if not (done or needless) then
    hs.status = "Progressing"
    hs.message = "not all of it is applied yet"
  end
end
return hs
