-- Says of a RayJob what job_state() of the platform says: one table of cases tests both.
local status = obj.status or {}
local deployment = status.jobDeploymentStatus or ""
local job = status.jobStatus or ""
local suspend = (obj.spec or {}).suspend
local hs = {status = "Progressing", message = deployment}
if deployment == "" then
  hs.message = "waiting for the operator"
elseif job ~= "" then
  hs.message = deployment .. "/" .. job
end
if status.message ~= nil and status.message ~= "" then
  hs.message = hs.message .. ": " .. status.message
end
if deployment == "Complete" then
  -- Complete also when the program was stopped.
  hs.status = job == "SUCCEEDED" and "Healthy" or "Degraded"
elseif deployment == "Failed" or deployment == "ValidationFailed" then
  hs.status = "Degraded"
elseif suspend == true then
  -- Kueue's word; KubeRay follows some seconds later.
  hs.status = "Suspended"
elseif suspend == nil and (deployment == "Suspended" or deployment == "Suspending") then
  hs.status = "Suspended"
end
return hs
