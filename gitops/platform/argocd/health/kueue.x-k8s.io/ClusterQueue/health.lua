local hs = {status = "Progressing", message = "Kueue has not looked at it yet"}
local conditions = obj.status ~= nil and obj.status.conditions or {}
for _, condition in ipairs(conditions) do
  if condition.type == "Active" then
    hs.message = condition.message or ""
    if condition.status == "True" then
      hs.status = "Healthy"
    elseif obj.spec ~= nil and obj.spec.stopPolicy ~= nil and obj.spec.stopPolicy ~= "None" then
      hs.status = "Suspended"
    else
      hs.status = "Degraded"
    end
  end
end
return hs
