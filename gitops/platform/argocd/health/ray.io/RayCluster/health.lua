local hs = {status = "Progressing", message = "waiting for its pods"}
local state = obj.status ~= nil and obj.status.state or nil
if state == "ready" then
  hs.status = "Healthy"
  hs.message = "all pods are ready"
elseif state == "suspended" then
  hs.status = "Suspended"
  hs.message = "suspended"
elseif state == "failed" then
  hs.status = "Degraded"
  hs.message = obj.status.reason or "failed"
end
return hs
