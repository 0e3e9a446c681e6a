# Everything that is looked at before anything is done; changes nothing. Standard input: one line of ASCII JSON {marker}.
# Standard output: a line that is the marker and one ASCII JSON object. What cannot be seen is a problem, never a guess.
$input | & {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $request = ConvertFrom-Json -InputObject (@($input) -join '')
    $facts = @{}
    $problems = @{}
    $look = {
        param($name, $how)
        try { $facts[$name] = & $how }
        catch {
            $problems[$name] = @{
                id       = '{0}' -f $_.FullyQualifiedErrorId
                message  = '{0}' -f $_.Exception.Message
                position = '{0}' -f $_.InvocationInfo.PositionMessage
            }
        }
    }
    & $look 'user' {
        $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
        $principal = New-Object -TypeName Security.Principal.WindowsPrincipal -ArgumentList $identity
        @{
            name     = '{0}' -f $identity.Name
            sid      = '{0}' -f $identity.User.Value
            elevated = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
        }
    }
    & $look 'windows' {
        $key = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        $version = Get-ItemProperty -LiteralPath $key
        @{
            product = '{0}' -f $version.ProductName
            edition = '{0}' -f $version.EditionID
            kind    = '{0}' -f $version.InstallationType
            build   = '{0}' -f $version.CurrentBuildNumber
        }
    }
    & $look 'powershell' {
        @{
            version  = '{0}' -f $PSVersionTable.PSVersion
            language = '{0}' -f $ExecutionContext.SessionState.LanguageMode
            policy   = '{0}' -f (Get-ExecutionPolicy)
        }
    }
    & $look 'installed' {
        @(Get-Module -ListAvailable -Name AzureEFLOW | ForEach-Object -Process { '{0}' -f $_.Version })
    }
    & $look 'service' {
        $service = Get-Service -Name wssdagent
        @{ status = '{0}' -f $service.Status; start = '{0}' -f $service.StartType }
    }
    if ($facts['installed']) {
        & $look 'module' {
            Import-Module -Name AzureEFLOW
            $module = Get-Module -Name AzureEFLOW
            @{ version = '{0}' -f $module.Version; path = '{0}' -f $module.Path }
        }
    }
    if ($facts['module']) {
        & $look 'parameters' {
            $table = @{}
            Get-Command -Module AzureEFLOW | ForEach-Object -Process { $table[$_.Name] = @($_.Parameters.Keys) }
            $table
        }
        & $look 'exists' { [bool](Verify-EflowVm 3>$null 6>$null) }
    }
    if ($facts['exists']) {
        & $look 'vm' {
            $vm = Get-EflowVm 3>$null 6>$null
            @{
                name    = '{0}' -f $vm.VmConfiguration.name
                power   = '{0}' -f $vm.VmPowerState
                runtime = '{0}' -f $vm.EdgeRuntimeVersion
            }
        }
    }
    $facts['problems'] = $problems
    $json = ConvertTo-Json -InputObject $facts -Depth 4 -Compress
    $ascii = [regex]::Replace($json, '[^\x20-\x7e]', { param($found) '\u{0:x4}' -f [int][char]$found.Value })
    [Console]::Out.WriteLine()
    [Console]::Out.WriteLine('{0}{1}', $request.marker, $ascii)
}
