#include "host-shim/cmdlet_failures.hpp"

#include <string>

namespace eflow {

namespace {

constexpr auto reinstall =
    "Remove the old installation: uninstall Azure IoT Edge (Settings, Apps, or appwiz.cpl), restart Windows, install its MSI, "
    "then run this again with --deploy. What is in the old VM goes with it: Get-EflowLogs first keeps its logs.";

constexpr auto restart_wssdagent =
    "Restart-Service -Name wssdagent; Get-Service -Name wssdagent must then say Running. Its log says why it does not "
    "answer: C:\\ProgramData\\wssdagent\\log\\wssdagent.log. If it does not stay up: uninstall Azure IoT Edge, restart "
    "Windows and install it again.";

constexpr auto hypervisor_on =
    "Hyper-V has to be able to start VMs: turn virtualization on in the firmware (BIOS, UEFI); systeminfo.exe shows what is "
    "missing. If this Windows is a VM itself, its host must let it nest: Set-VMProcessor -VMName NAME "
    "-ExposeVirtualizationExtensions $true on Hyper-V, 'Expose hardware assisted virtualization' on VMware, in Azure a size "
    "with nested virtualization. Then bcdedit.exe /set hypervisorlaunchtype auto, restart Windows, and run this again.";

constexpr auto enable_hyper_v =
    "Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -All (Windows 10, 11: Pro, Enterprise, IoT "
    "Enterprise) or Install-WindowsFeature -Name Hyper-V -IncludeManagementTools (Windows Server); without PowerShell: "
    "DISM.exe /Online /Enable-Feature /All /FeatureName:Microsoft-Hyper-V. Restart Windows, then run this again.";

constexpr auto choose_switch =
    "Get-VMSwitch lists the switches there are: name one in [host.deploy.network] (switch, switch_type), or make one: "
    "New-VMSwitch -Name EFLOW -SwitchType Internal. Windows Server has no Default Switch; an Internal one has no DHCP, so "
    "give address, prefix_length and gateway too.";

constexpr auto give_address =
    "Give the VM a fixed address: address, prefix_length and gateway together in [host.deploy.network] (ip4Address, "
    "ip4PrefixLength, ip4GatewayAddress of Deploy-Eflow), one that nothing else uses; or a switch behind which a DHCP server "
    "answers (Get-VMSwitch). On the Default Switch Windows itself is that server: a security baseline or firewall that "
    "closes UDP 67, 68 and 53 on vEthernet (Default Switch) silences it.";

constexpr auto reach_vm =
    "Get-EflowVmAddr shows its address, and Test-NetConnection -ComputerName ADDRESS -Port 22 the way to it (Hyper-V sockets "
    "since 1.4). After an update or on an Internal switch the NAT may be gone: Get-NetNat; Get-VMSwitch. Stop-EflowVm; "
    "Start-EflowVm often brings it back. A VM before 1.4 bans a host that opens more than three SSH connections a minute: "
    "wait a minute. Run this as the account that ran Deploy-Eflow.";

constexpr auto update_module =
    "Update EFLOW to 1.5 (its MSI, or Microsoft Update); (Get-Command Provision-EflowVm).Parameters.Keys lists what the "
    "installed module takes.";

constexpr auto as_deployer =
    "Run this as the account that ran Deploy-Eflow; a VM for Intune or Configuration Manager must be deployed by SYSTEM "
    "(--deploy).";

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    // Typographic apostrophes, as some editors and translations have them.
    for (const std::string_view quote : {"\xe2\x80\x98", "\xe2\x80\x99"})
        for (auto at = out.find(quote); at != std::string::npos; at = out.find(quote, at)) {
            out[at] = '\'';
            out.erase(at + 1, quote.size() - 1);
        }
    return out;
}

using Lines = std::vector<std::string>;

void append_lines(Lines& lines, std::string_view text) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string line = lowered(text.substr(0, end));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
        lines.push_back(std::move(line));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

bool fits_line(std::string_view line, std::string_view pattern) {
    const bool from_begin = pattern.starts_with('^');
    const bool to_end = pattern.ends_with('$');
    if (from_begin) pattern.remove_prefix(1);
    if (to_end) pattern.remove_suffix(1);
    std::size_t at = 0;
    bool first = true;
    while (true) {
        const auto star = pattern.find('*');
        const std::string_view piece = pattern.substr(0, star);
        const bool last = star == std::string_view::npos;
        if (last && to_end) {
            if (line.size() < at + piece.size() || !line.ends_with(piece)) return false;
            return !(first && from_begin) || line == piece;
        }
        const auto found = line.find(piece, at);
        if (found == std::string_view::npos || (first && from_begin && found != 0)) return false;
        if (last) return true;
        at = found + piece.size();
        pattern.remove_prefix(star + 1);
        first = false;
    }
}

bool fits(const Lines& lines, std::string_view words) {
    while (true) {
        const auto bar = words.find('|');
        const std::string_view pattern = words.substr(0, bar);
        for (const auto& line : lines)
            if (fits_line(line, pattern)) return true;
        if (bar == std::string_view::npos) return false;
        words.remove_prefix(bar + 1);
    }
}

std::vector<CmdletFailure> rows_of_trust() {
    return {
        {Trouble::certificate_expired, false,
         "x509: certificate has expired|certificate has expired or is not yet valid|authentication handshake failed",
         "WSSDAgent's own certificate has expired, a year after EFLOW was installed",
         "Renew it with updateWssdCert.ps1 of github.com/Azure/iotedge-eflow (eflow-util), then run this again."},
        // iotedge-eflow 33, 158, 264
        {Trouble::signature, false,
         "signer is not trusted|signature is not valid|signature is missing|signature*root|"
         "not trusted by the trust provider|0x800b0109|0x800b010a|0x800b0101|certificate chain*could not be built",
         "A signature of Microsoft's is not trusted: its root or code signing certificate is not in this host's stores, or "
         "the file is damaged",
         "Let Windows Update bring the certificates. Offline: certutil.exe -generateSSTFromWU roots.sst on a host with "
         "Internet, then here Import-Certificate -FilePath roots.sst -CertStoreLocation Cert:\\LocalMachine\\Root; the "
         "signer's own certificate belongs to Cert:\\LocalMachine\\TrustedPublisher. Get-AuthenticodeSignature FILE names "
         "it (the module: C:\\Program Files\\WindowsPowerShell\\Modules\\AzureEFLOW\\AzureEFLOW.psm1). Use Microsoft's own "
         "MSI."},
        {Trouble::policy, false,
         "^unauthorizedaccess,|^unauthorizedaccess$|pssecurityexception|authorizationmanager check failed|"
         "running scripts is disabled|is not digitally signed|untrusted publisher|inconstrainedlanguage|"
         "only on core types in this language mode",
         "PowerShell's execution policy keeps the EFLOW module out",
         "Set-ExecutionPolicy AllSigned -Force, then run Get-EflowVm once in an elevated console of this account and answer "
         "[A] Always run, so that the module's publisher is trusted."},
    };
}

std::vector<CmdletFailure> rows_of_windows() {
    return {
        {Trouble::windows, false, "openssh*not available|openssh*isn't available|openssh*could not be enabled|openssh*not installed|"
         "'ssh*' is not recognized|'scp*' is not recognized",
         "Windows has no OpenSSH client, which the module uses to speak with the VM",
         "Add-WindowsCapability -Online -Name OpenSSH.Client~~~~0.0.1.0; with an OpenSSH of your own, Deploy-Eflow takes "
         "-customSsh."},
        // iotedge-eflow 25, 172; HCS_E_HYPERV_NOT_INSTALLED, HCS_E_SERVICE_NOT_AVAILABLE
        {Trouble::windows, false,
         "required feature*not available|required feature*isn't available|in this windows edition|required feature is not "
         "installed|could not be enabled|installation of hyper-v|0x80370102|0xc0370102|0x80370114|0xc0370114",
         "A Windows feature that EFLOW needs, Hyper-V above all, is missing or not enabled", enable_hyper_v},
        // iotedge-eflow 164, 273; E_OUTOFMEMORY, ERROR_COMMITMENT_LIMIT
        {Trouble::resources, false,
         "not enough memory|out of memory|insufficient memory|memory*not available|0x8007000e|0x800705af",
         "This host has not enough free memory for the VM",
         "Get-CimInstance Win32_OperatingSystem | Select-Object FreePhysicalMemory shows what is free, in KB. Free some, or "
         "ask for less: memory_mb in [host.deploy] (an even number, 1024 at least); for a VM that is there: Set-EflowVM "
         "-memoryInMB 1024."},
        {Trouble::resources, false, "not enough cpu cores|cpu cores*not available|not enough processors",
         "This host has fewer processors than the VM is to have",
         "Ask for fewer: cpu in [host.deploy]; (Get-CimInstance Win32_ComputerSystem).NumberOfLogicalProcessors is what there "
         "is."},
        {Trouble::resources, false,
         "not enough disk space|not enough space on the disk|insufficient disk|0x80070070|no space left on device",
         "There is not enough room on the disk for the VM",
         "Get-PSDrive -PSProvider FileSystem shows the room: the VM takes 18 GB beside what disk_gb in [host.deploy] says. Free "
         "some, ask for less, or install EFLOW with VHDXDIR on another drive."},
        // iotedge-eflow 115, 126, 303
        {Trouble::windows, false,
         "unable to start hcs|hcs vm|hyperv*requirement|hypervrequirement|hypervisorpresent|hyper-v component is not "
         "functional|hyper-v core services|hypervisor is not running|virtualization*not enabled|nested virtualization",
         "Hyper-V could not start the VM: virtualization is off, cannot be nested here, or Hyper-V's services do not run",
         hypervisor_on},
        {Trouble::windows, false, "does not meet the minimum requirements|hns api version|minimum version",
         "This Windows is too old for EFLOW, or an edition without it",
         "EFLOW needs Windows 10 or 11 Pro, Enterprise or IoT Enterprise, or Windows Server 2019 or later, build 17763 with all "
         "cumulative updates: Get-ComputerInfo -Property WindowsProductName, OsBuildNumber; install the updates, then run this "
         "again."},
        {Trouble::windows, false, "requires elevation|run as administrator|^accessdenied|access is denied",
         "Windows denied it: this console is not elevated, or a policy keeps this account out",
         "Open a console with 'Run as administrator' as the account that ran Deploy-Eflow, and run this again."},
        {Trouble::windows, false, "tpm 2.0 is required|tpm provisioning information|tpm provisioning was not",
         "The module could not reach the host's TPM",
         "Get-Tpm shows whether there is one; Get-Service -Name EFLOWProxy must say Running. DpsX509 needs none: "
         "Set-EflowVmFeature -feature DpsTpm switches the passthrough off."},
        {Trouble::windows, false, "unsupported dda type|gpu configuration|gpu passthroughtype|gpu '*' not available",
         "The GPU that was asked for cannot be passed through on this host",
         "This program asks for none; Get-EflowHostConfiguration shows the GPUs of this host."},
    };
}

std::vector<CmdletFailure> rows_of_network() {
    return {
        {Trouble::network, false, "cannot set static ip", "The Default Switch gives addresses itself and takes no fixed one",
         "Leave address, prefix_length and gateway out of [host.deploy.network], or name another switch: Get-VMSwitch; "
         "New-VMSwitch -Name EFLOW -SwitchType Internal."},
        {Trouble::network, false, "required for staticip|ip4prefixlength*required",
         "A fixed address was given by halves",
         "Give address, prefix_length and gateway together in [host.deploy.network], or none of them."},
        {Trouble::network, false, "multiple vmms switches", "Two virtual switches have the same name and type",
         "Get-VMSwitch shows them; rename one: Rename-VMSwitch -Name OLD -NewName NEW; then run this again."},
        // iotedge-eflow 59, 71, 143
        {Trouble::network, false,
         "virtual switch*not found|virtual switch*not supported|virtual switch failed|virtual switch is needed|"
         "virtual switch*does not exist|no adapters associated|network '*' does not exist",
         "The virtual switch that the VM is to use is not there, or not of a type that this Windows takes", choose_switch},
        // iotedge-eflow 228
        {Trouble::network, false, "synthetic ethernet port",
         "Hyper-V could not give the VM its network adapter: a policy, an antivirus or the switch stands in the way",
         "Get-VMSwitch must list the switch; let the antivirus and firewall policy leave Hyper-V's VMs alone (TCP 45000 and "
         "45001 of wssdagent), then run this again."},
        {Trouble::network, false, "is not a valid ip4 address", "An address that was given is no IPv4 address",
         "Correct address, gateway or dns_servers in [host.deploy.network]: four numbers from 0 to 255 between dots."},
        // iotedge-eflow 10, 41, 75
        {Trouble::network, false,
         "acquire*address|retrieve ip address|ip/mac address|no ip address|ip address*not assigned|obtain host routing|"
         "connectivity test to|expected vnet|missing eflow-vm guest interface",
         "The VM got no address: no DHCP server answers on its virtual switch, or the fixed address is wrong", give_address},
    };
}

std::vector<CmdletFailure> rows_of_the_vm() {
    return {
        {Trouble::already_provisioned, false, "previously provisioned", "The module says that the VM was provisioned before", ""},
        {Trouble::registration_id_refused, false, "registration id, and symmetric key may not be specified",
         "This version of the module takes no registration ID with DpsX509", ""},
        {Trouble::leftover_files, false, "scp: *permission denied", "Files of an earlier run stand in the way in the VM",
         "Set them aside: Invoke-EflowVmCommand 'sudo mv -n /home/iotedge-user/certs /home/iotedge-user/private /root'"},
        {Trouble::vm_missing, false, "virtual machine does not exist", "There is no EFLOW VM",
         "Deploy it: run this again with --deploy."},
        {Trouble::vm_off, false, "eflow vm is off", "The VM is off", "Start-EflowVm, then run this again."},
        // iotedge-eflow 11, 18, 122, 164
        {Trouble::earlier_deployment, false,
         "existing virtual machine was detected|virtual machine '*' already exists|device not clean|components detected|more "
         "than one virtual machine|compute vm show*not found|unable to filter entity",
         "An earlier deployment of EFLOW stands in the way: its VM or what wssdagent remembers of it is still there",
         reinstall},
        // iotedge-eflow 132
        {Trouble::wssdagent, false,
         "configuration could not be retrieved from wssdagent|could not find a part of the path*azure iot edge",
         "Files of the EFLOW installation were moved or deleted", reinstall},
        {Trouble::wssdagent, false, "expected image '*' is missing|creating storage vhd",
         "The VM's disk could not be made: its image is missing, or wssdagent could not write it",
         "The MSI brings AzureIoTEdgeForLinux-v1-EFLOW.vhdx; repair it (Settings, Apps, Azure IoT Edge), and look at the room: "
         "Get-PSDrive -PSProvider FileSystem. The log: C:\\ProgramData\\wssdagent\\log\\wssdagent.log."},
        // iotedge-eflow 31, 245
        {Trouble::wssdagent, false,
         "wssdagent*unreachable|wssdagent*not running|wssdagent*stopped|wssdagent*not respond|wssdagent*fail|fail*wssdagent|"
         "find wssdagent|wssagent|service name 'wssdagent'|service*wssdagent*cannot|wssdagent*retry|code = unavailable",
         "The service wssdagent, which keeps the VM, does not answer", restart_wssdagent},
        {Trouble::access_denied, false, "virtual machine name could not be retrieved|failed to retrieve virtual machine name",
         "wssdagent does not find the VM for this Windows account: another one deployed it, or it is gone",
         "Run this as the account that ran Deploy-Eflow. hcsdiag.exe list (Windows Server: Get-VM) shows whether the VM "
         "exists; if it does not: Restart-Service -Name wssdagent, else uninstall EFLOW, install it and deploy again."},
        // iotedge-eflow 252
        {Trouble::access_denied, false, "too many authentication failures",
         "The VM refuses this account: ssh-agent offers too many other keys before the module's own",
         "Stop-Service -Name ssh-agent (or ssh-add.exe -D) and run this again, as the account that ran Deploy-Eflow."},
        {Trouble::access_denied, false, "permission denied (publickey",
         "The VM does not let this Windows account in: only the one that created it may", as_deployer},
        {Trouble::unreachable, false, "host key verification failed|known_hosts",
         "The VM's SSH key is not the one that the module knows: it was made again, or something else has its address",
         "Get-EflowVmAddr shows the address that is used. Stop-EflowVm; Start-EflowVm, then run this again; if it stays so, "
         "uninstall EFLOW, install it and deploy again."},
        // iotedge-eflow 123, 64; WSAEADDRNOTAVAIL
        {Trouble::unreachable, false,
         "connect*with ssh|connection refused|connection timed out|connection reset|connection closed by|no route to "
         "host|0x80072741|failed to connect to eflow vm",
         "The VM cannot be reached by SSH: it is starting, it bans this host, the network to it (switch, NAT) is gone, or "
         "another Windows account created it",
         reach_vm},
        {Trouble::unreachable, false, "unexpected return from 'sudo iotedge|unexpected return stats",
         "The VM answered something unexpected: IoT Edge in it, or its connection, is not well",
         "eflow-shim verify has the agent check the VM; Connect-EflowVm enters it."},
    };
}

std::vector<CmdletFailure> rows_of_calls() {
    return {
        {Trouble::parameters, false,
         "namedparameternotfound|cannot be found that matches parameter name|missingmandatoryparameter|"
         "parameterargument|cannot validate argument|provisioning not specified|for dpstpm provisioning|"
         "provisioning may be specified|connection string not provided|globalendpoint not specified|missing for "
         "dpssymmetrickey|manualx509 provisioning",
         "The installed EFLOW module takes other parameters", update_module},
        {Trouble::parameters, false, "commandnotfoundexception|is not recognized as",
         "A cmdlet is not there: the EFLOW module is another version, or not whole", update_module},
        {Trouble::parameters, false, "aborted by user|noninteractive mode",
         "The module asked something, and nobody was there to answer",
         "Deploy with --accept-eula; for another cmdlet run it once by hand in an elevated console, answer it, and run this "
         "again."},
        {Trouble::not_provisioned, true, "failed to provision|not running after provisioning",
         "The module configured the VM, but the device did not come up",
         "The agent's findings say why; so do the service's last log lines: Invoke-EflowVmCommand 'sudo iotedge system "
         "logs'"},
        {Trouble::windows, true, "failed to start|could not start", "Hyper-V could not start the VM", hypervisor_on},
        {Trouble::wssdagent, true,
         "virtual machine creation failed|unable to create virtual machine|nodectl*failed to execute",
         "wssdagent could not do what the module asked of it", restart_wssdagent},
    };
}

}  // namespace

const std::vector<CmdletFailure>& cmdlet_failures() {
    static const std::vector<CmdletFailure> all = [] {
        std::vector<CmdletFailure> rows;
        for (auto&& part : {rows_of_trust(), rows_of_windows(), rows_of_network(), rows_of_the_vm(), rows_of_calls()})
            rows.insert(rows.end(), part.begin(), part.end());
        return rows;
    }();
    return all;
}

const CmdletFailure* recognise(const Called& called) {
    Lines error;
    if (called.error) {
        append_lines(error, called.error->id);
        append_lines(error, called.error->message);
    }
    Lines told;
    for (const auto* lines : {&called.output, &called.said})
        for (const auto& line : *lines) append_lines(told, line);
    for (const bool general : {false, true})
        for (const Lines* lines : {&error, &told})
            for (const auto& row : cmdlet_failures())
                if (row.general == general && fits(*lines, row.words)) return &row;
    return nullptr;
}

bool agent_completes(Trouble trouble) {
    return trouble == Trouble::not_provisioned || trouble == Trouble::already_provisioned ||
           trouble == Trouble::leftover_files || trouble == Trouble::registration_id_refused;
}

}  // namespace eflow
