# Detection for Intune and Configuration Manager: says "provisioned" when the last run for this host's identity finished.
# Intune counts an application as there when a detection script exits 0 and prints something. It looks at the state file
# alone, so it opens no SSH connection and needs no EFLOW module; `eflow-shim status` asks the device itself.
$state = Join-Path -Path $env:ProgramData -ChildPath 'eflow-shim\state.json'
if (-not (Test-Path -LiteralPath $state -PathType Leaf)) { exit 0 }
$content = Get-Content -LiteralPath $state -Raw | ConvertFrom-Json
if ($content.finished -eq $true) { Write-Output -InputObject ('provisioned: {0}' -f $content.registration_id) }
exit 0
