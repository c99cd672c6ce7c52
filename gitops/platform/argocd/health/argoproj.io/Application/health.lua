-- Argo CD gives Applications no health of their own, so a sync wave of Applications would not wait for the last one.
local hs = {status = "Progressing", message = ""}
local health = obj.status ~= nil and obj.status.health or nil
if health ~= nil and health.status ~= nil and health.status ~= "Missing" and health.status ~= "Unknown" then
  hs.status = health.status
  hs.message = health.message or ""
end
return hs
