# Calls one cmdlet of the EFLOW module. Standard input: one line of ASCII JSON {marker, cmdlet, parameters}.
# Standard output: a line that is the marker and one ASCII JSON object. Values are bound by splatting, never parsed.
# It runs in a block of its own: the module's functions must keep the session's $ErrorActionPreference, since with Stop a
# word that a native program says on standard error would end them.
$input | & {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $request = ConvertFrom-Json -InputObject (@($input) -join '')
    $known = 'Copy-EflowVmFile', 'Deploy-Eflow', 'Get-EflowLogs', 'Invoke-EflowVmCommand', 'Provision-EflowVm',
        'Set-EflowVmDNSServers', 'Start-EflowVm', 'Verify-EflowVm'
    $output = New-Object -TypeName System.Collections.ArrayList
    $said = New-Object -TypeName System.Collections.ArrayList
    $problem = $null
    $stage = 'import'
    try {
        if ($known -notcontains $request.cmdlet) { throw 'eflow-shim calls no such cmdlet' }
        Import-Module -Name AzureEFLOW
        $parameters = @{}
        foreach ($property in $request.parameters.PSObject.Properties) { $parameters[$property.Name] = $property.Value }
        $cmdlet = Get-Command -Name $request.cmdlet -Module AzureEFLOW
        $stage = 'call'
        & $cmdlet @parameters 3>&1 6>&1 | ForEach-Object -Process {
            $text = '{0}' -f $_
            if ($_ -is [System.Management.Automation.InformationRecord]) { [void]$said.Add($text) }
            elseif ($_ -is [System.Management.Automation.WarningRecord]) { [void]$said.Add($text) }
            else { [void]$output.Add($text) }
        }
    }
    catch {
        $problem = @{
            stage    = $stage
            id       = '{0}' -f $_.FullyQualifiedErrorId
            message  = '{0}' -f $_.Exception.Message
            position = '{0}' -f $_.InvocationInfo.PositionMessage
        }
    }
    $heard = @($global:Error | Select-Object -First 5 | ForEach-Object -Process { '{0}' -f $_ })
    $answer = @{ output = @($output); said = @($said); heard = $heard; error = $problem }
    $json = ConvertTo-Json -InputObject $answer -Depth 4 -Compress
    $ascii = [regex]::Replace($json, '[^\x20-\x7e]', { param($found) '\u{0:x4}' -f [int][char]$found.Value })
    [Console]::Out.WriteLine()
    [Console]::Out.WriteLine('{0}{1}', $request.marker, $ascii)
}
