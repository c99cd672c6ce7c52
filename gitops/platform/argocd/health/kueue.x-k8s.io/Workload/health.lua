local conditions = {}
for _, condition in ipairs(obj.status ~= nil and obj.status.conditions or {}) do
  conditions[condition.type] = condition
end
local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end
local function message(type)
  return conditions[type] ~= nil and conditions[type].message or ""
end

if holds("Finished") then
  -- Any other end is none of the job: its object was removed, or made anew.
  local failed = conditions["Finished"].reason == "Failed"
  return {status = failed and "Degraded" or "Healthy", message = message("Finished")}
end
if holds("Admitted") then
  return {status = "Progressing", message = message("Admitted")}
end
if holds("QuotaReserved") then
  return {status = "Suspended", message = message("Admitted")}
end
if conditions["QuotaReserved"] == nil then
  return {status = "Suspended", message = "Kueue has not looked at it yet"}
end
return {status = "Suspended", message = message("QuotaReserved")}
