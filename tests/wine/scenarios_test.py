#!/usr/bin/env python3
"""eflow-shim.exe in Wine, from the command line to what is left behind. In each scenario: nothing staged stays on the host
or in the VM, the key is in no output, log, argument or request, and PowerShell gets the fixed scripts alone."""
import json
import unittest

from eflow_model import CmdletError
from scenario import DEVICE, SCOPE, SHIM, Scenario
from virtual_machine import report

OK_STEPS = {"prepare": "done", "copy": "done", "judge": "done", "provision": "done", "finish": "done", "clean": "done",
            "verify": "done"}


def fails(message, error_id=None):
    def hook(_):
        raise CmdletError(message, error_id)
    return hook


class Success(Scenario):
    def check_provisioned(self, result):
        self.assertEqual(result.code, 0, result.out + result.err)
        body = result.report
        self.assertEqual((body["ok"], body["phase"], body["verb"]), (True, "awaiting-deployment", "provision"))
        self.assertEqual(result.outcomes() | OK_STEPS, result.outcomes())
        self.assertEqual(body["data"]["agent"]["verb"], "post-install", "the agent's report is inside the shim's")
        self.assertEqual((self.vm.model / "identity.key.pem").read_bytes(), self.key)
        self.assertEqual((self.vm.model / "identity.cert.pem").read_bytes(), self.chain)
        self.assertEqual((self.world.config["certificate"], self.world.config["key"]), (self.chain, self.key))
        modes = [line.split(" ")[:2] for line in (self.vm.model / "modes").read_text().splitlines()]
        self.assertEqual(modes, [["700", "root"]] + [["600", "root"]] * 3)

    def test_module_1_5(self):
        result = self.provision()
        self.check_provisioned(result)
        self.assertEqual(result.report["data"]["ssh"], {"connections": 4, "paced": False, "waited_seconds": 0})
        provision = dict(self.world.calls)["Provision-EflowVm"]
        self.assertEqual((provision["registrationId"], provision["scopeId"], provision["headless"]), (DEVICE, SCOPE, True))
        self.assertIn("identityPrivKeyPath", provision)
        self.assertIn("/var/lib/eflow-agent/bin/eflow-agent", [call[0] for call in self.vm.calls()])


class Module14(Success):
    generation = "1.4"

    def test_module_1_4(self):
        self.check_provisioned(self.provision("--global-endpoint", "global.azure-devices-provisioning.cn"))
        self.assertEqual(dict(self.world.calls)["Provision-EflowVm"]["globalEndpoint"],
                         "https://global.azure-devices-provisioning.cn/")

    test_module_1_5 = None


class HowTo(Success):
    generation = "howto"

    def test_key_parameter_of_the_how_to(self):
        self.check_provisioned(self.provision())
        self.assertIn("identityPrivateKey", dict(self.world.calls)["Provision-EflowVm"])

    test_module_1_5 = None


class Strict(Success):
    generation = "strict"

    def test_registration_id_refused(self):
        result = self.provision()
        self.check_provisioned(result)
        tries = [parameters for cmdlet, parameters in self.world.calls if cmdlet == "Provision-EflowVm"]
        self.assertEqual([("registrationId" in parameters) for parameters in tries], [True, False])
        self.assertIn("takes no registration ID", " ".join(result.report["data"]["notes"]))

    test_module_1_5 = None


class Old(Scenario):
    generation = "1.3"

    def test_a_module_that_bans_is_paced(self):
        # How it waits is proven with a clock of its own in the unit tests; here a run that ends before it has to.
        self.world.hooks["Copy-EflowVmFile"] = fails("scp: lost connection")
        result = self.provision()
        self.assertEqual((result.code, result.report["data"]["ssh"]["paced"]), (4, True))
        self.assertEqual(result.report["data"]["ssh"]["connections"], 3)


class Old11(Scenario):
    generation = "1.1"

    def test_1_1_is_refused_before_anything_is_done(self):
        result = self.provision()
        self.assertEqual(result.code, 4)
        self.assertIn("1.1", result.finding("host.module")["summary"])
        self.assertEqual(self.world.calls, [])


class Ways(Success):
    test_module_1_5 = None

    def test_manifest_with_unicode_spaces_and_quotes_in_every_path(self):
        folder = "C:\\Geräte & Co; $(calc) `x` 'y'\\装置 №7"
        self.prefix.put(folder + "\\vollständige “Kette”.pem", self.chain)
        self.prefix.put(folder + "\\schlüssel ‘1’ %TEMP%.pem", self.key)
        key = json.dumps(folder + "\\schlüssel ‘1’ %TEMP%.pem", ensure_ascii=False)  # a TOML string as well
        self.prefix.put(folder + "\\device.toml", (
            f'schema = 1\n[provisioning]\nscope_id = "{SCOPE}"\nregistration_id = "{DEVICE}"\n[identity]\n'
            f"certificate = 'vollständige “Kette”.pem'\nprivate_key = {key}\n").encode())
        result = self.shim("provision", "--manifest", folder + "\\device.toml")
        self.check_provisioned(result)

    def test_provision_eflowvm_names(self):
        result = self.shim("provision", "-provisioningType", "DpsX509", "-scopeId", SCOPE, "-RegistrationID", DEVICE,
                           "-identityCertPath", self.certificate_path, f"-identityPrivateKey:{self.key_path}")
        self.check_provisioned(result)

    def test_autodeploy_configuration(self):
        self.prefix.put("C:\\auto\\eflow-userconfig.json", b"\xef\xbb\xbf" + json.dumps(
            {"schemaVersion": "1.1", "version": "1.0", "network": {"httpProxy": "http://proxy:3128", "vswitchName": ""},
             "vmConfig": {"gpuCount": 0, "gpuName": "T4"},
             "eflowProvisioning": {"provisioningType": "DpsX509", "scopeId": SCOPE,
                                   "identityCertPath": self.certificate_path,
                                   "identityPrivKeyPath": self.key_path}}).encode())
        result = self.shim("provision", "--autodeploy-config", "C:\\auto\\eflow-userconfig.json")
        self.check_provisioned(result)
        self.assertEqual(result.finding("config.autodeploy", "warning")["detail"], "network.httpProxy, vmConfig.gpuName")

    def test_deploy_then_provision(self):
        self.world.exists = False
        result = self.provision("--deploy", "--accept-eula")
        self.check_provisioned(result)
        self.assertEqual(self.cmdlets()[0], "Deploy-Eflow")
        self.assertEqual(self.world.calls[0][1], {"acceptEula": "Yes", "acceptOptionalTelemetry": "No"})

    def test_deploy_on_a_server_with_its_network(self):
        self.world.exists = False
        self.world.facts["windows"] = {"product": "Windows Server 2022 Standard", "edition": "ServerStandard",
                                       "kind": "Server", "build": "20348"}
        self.prefix.put("C:\\identity\\device.toml", (
            f'schema = 1\n[provisioning]\nscope_id = "{SCOPE}"\nregistration_id = "{DEVICE}"\n[identity]\n'
            'certificate = "full-chain.cert.pem"\nprivate_key = "device.key.pem"\n[host.deploy]\ncpu = 2\n'
            'memory_mb = 2048\ndisk_gb = 10\naccept_eula = true\n[host.deploy.network]\nswitch = "Plant \'7\'; $x"\n'
            'switch_type = "Internal"\naddress = "172.20.1.2"\nprefix_length = 24\ngateway = "172.20.1.1"\n'
            'dns_servers = ["10.0.0.53"]\n').encode())
        result = self.shim("provision", "--manifest", "C:\\identity\\device.toml", "--deploy")
        self.check_provisioned(result)
        self.assertEqual(self.world.calls[0][1],
                         {"acceptEula": "Yes", "acceptOptionalTelemetry": "No", "cpuCount": 2, "memoryInMB": 2048,
                          "vmDataSize": 10, "vswitchName": "Plant '7'; $x", "vswitchType": "Internal",
                          "ip4Address": "172.20.1.2", "ip4PrefixLength": 24, "ip4GatewayAddress": "172.20.1.1"})
        self.assertEqual(dict(self.world.calls)["Set-EflowVmDNSServers"], {"dnsServers": ["10.0.0.53"]})

    def test_vm_stopped(self):
        self.world.power = "Off"
        self.check_provisioned(self.provision())
        self.assertEqual(self.cmdlets()[0], "Start-EflowVm")

    def test_agent_already_in_the_vm(self):
        self.vm.install_agent()
        self.prefix.linux("C:\\tools\\eflow-agent").unlink()
        self.check_provisioned(self.provision())
        self.assertNotIn("install-self", [call[1] for call in self.vm.calls()])

    def test_older_agent_is_replaced(self):
        self.vm.install_agent("eflow-agent 0.0.9")
        self.check_provisioned(self.provision())
        self.assertIn("install-self", [call[1] for call in self.vm.calls()])


class Again(Success):
    test_module_1_5 = None

    def leaf_sha256(self):
        import hashlib
        import ssl
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.chain.decode().split("-----END CERTIFICATE-----")[0] +
                                                       "-----END CERTIFICATE-----\n")).hexdigest()

    def test_second_run_leaves_it_alone(self):
        self.check_provisioned(self.provision())
        self.vm.answer("status", report("status", data={
            "identity": {"sha256": self.leaf_sha256()},
            "provisioning": {"id_scope": SCOPE, "global_endpoint": "https://global.azure-devices-provisioning.net/"}}))
        self.world.calls.clear()
        result = self.provision()
        self.assertEqual((result.code, result.report["phase"]), (0, "awaiting-deployment"))
        self.assertEqual(self.cmdlets(), ["Invoke-EflowVmCommand", "Invoke-EflowVmCommand", "Verify-EflowVm"])
        self.assertIn("left alone", " ".join(result.report["data"]["notes"]))
        self.world.calls.clear()
        self.check_provisioned(self.provision("--restart"))
        self.assertIn("Provision-EflowVm", self.cmdlets())

    def test_running_again_picks_up_where_it_stopped(self):
        self.world.hooks[("Invoke-EflowVmCommand", "finish")] = fails("Unable to connect virtual machine with SSH. Aborting..")
        first = self.provision()
        outcomes = first.outcomes()
        self.assertEqual((first.code, outcomes.get("finish"), outcomes.get("provision")), (7, "failed", "done"),
                         first.out + first.err)
        self.world.hooks.clear()
        self.world.calls.clear()
        second = self.provision()
        self.assertEqual((second.code, second.outcomes().get("provision")), (0, "skipped"), second.out + second.err)
        self.assertNotIn("Provision-EflowVm", self.cmdlets())

    def test_killed_and_run_again(self):
        process = None

        def kill(_):
            process.kill()
            process.wait()
            raise CmdletError("killed")
        self.world.hooks["Provision-EflowVm"] = kill
        process = self.prefix.start(SHIM, "provision", *self.identity(), "--quiet")
        process.wait(timeout=60)
        self.assertNotEqual([path for path in self.vm.staged() if "eflow-shim" in path], [])
        self.world.hooks.clear()
        result = self.provision()
        self.check_provisioned(result)
        self.assertIn("interrupted earlier run", " ".join(result.report["data"]["notes"]))

    def test_two_at_once(self):
        other = []

        def meanwhile(_):
            other.append(self.provision())
            return None
        self.world.hooks["Provision-EflowVm"] = meanwhile
        self.check_provisioned(self.provision_in("first"))
        self.assertEqual(other[0].code, 4)
        self.assertIn("another eflow-shim", other[0].finding("shim.run")["summary"])

    def test_previously_provisioned(self):
        self.world.hooks["Provision-EflowVm"] = fails("Aborting, iotedge was previously provisioned (headless mode)!")
        result = self.provision()
        self.assertEqual((result.code, result.outcomes()["provision"]), (0, "failed"))
        self.assertIn("provisioned before", result.finding("shim.provision", "warning")["summary"])


class HostLacks(Scenario):
    """What is seen before anything is done."""

    def refused(self, finding_id, code=4, *arguments):
        result = self.provision(*arguments)
        self.assertEqual(result.code, code, result.out)
        self.assertEqual(self.world.calls, [], "something was done")
        self.assertEqual(result.report["phase"], "unknown")
        return result.finding(finding_id)

    def test_not_elevated(self):
        self.world.facts["user"]["elevated"] = False
        self.assertIn("Run as administrator", self.refused("host.elevated")["remedy"])

    def test_module_absent(self):
        self.world.installed = False
        self.assertIn("not installed", self.refused("host.module")["summary"])

    def test_module_not_trusted_under_allsigned(self):
        self.world.problems["module"] = (
            "UnauthorizedAccess,Microsoft.PowerShell.Commands.ImportModuleCommand",
            "File AzureEFLOW.psm1 cannot be loaded. The file is published by CN=Microsoft Corporation. This publisher is "
            "not trusted on your system.")
        finding = self.refused("host.module")
        self.assertIn("Always run", finding["remedy"])
        self.assertIn("UnauthorizedAccess", finding["detail"])

    def test_windows_too_old(self):
        self.world.facts["windows"]["build"] = "17134"
        self.assertIn("17763", self.refused("host.windows")["remedy"])

    def test_home_edition(self):
        self.world.facts["windows"]["edition"] = "Core"
        self.refused("host.windows")

    def test_service_stopped(self):
        self.world.facts["service"]["status"] = "Stopped"
        self.assertIn("Start-Service wssdagent", self.refused("host.wssdagent")["remedy"])

    def test_vm_absent(self):
        self.world.exists = False
        self.assertIn("--deploy", self.refused("host.vm")["remedy"])

    def test_wssdagent_certificate_expired(self):
        self.world.problems["exists"] = ("RuntimeException", "x509: certificate has expired or is not yet valid")
        self.assertIn("updateWssdCert.ps1", self.refused("host.vm")["remedy"])

    def test_restricted_policy_and_wrong_input_together(self):
        self.world.facts["powershell"]["policy"] = "Restricted"
        self.prefix.put(self.key_path, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
        result = self.provision()
        self.assertEqual(result.code, 3)
        result.finding("host.powershell")
        self.assertIn("encrypted", result.finding("identity.key-readable")["detail"])

    def test_certificate_of_another_device(self):
        chain, _ = self.pki.leaf("other", "plant7-gw-04")
        self.prefix.put(self.certificate_path, chain.read_bytes())
        self.assertIn("plant7-gw-04", self.refused("identity.cn-matches-registration-id", 3)["detail"])

    def test_files_absent(self):
        self.certificate_path = "C:\\identity\\nowhere.pem"
        self.refused("identity.cert-readable", 3)

    def test_dry_run_changes_nothing(self):
        result = self.provision("--dry-run")
        self.assertEqual((result.code, self.world.calls), (0, []))
        self.assertEqual(set(result.outcomes().values()), {"planned"})


class EnteringTheVm(Scenario):
    def test_as_system_into_anothers_vm(self):
        self.world.facts["user"] = {"name": "NT AUTHORITY\\SYSTEM", "sid": "S-1-5-18", "elevated": True}
        self.world.hooks["Invoke-EflowVmCommand"] = fails("iotedge-user@172.20.1.2: Permission denied (publickey).")
        result = self.provision()
        self.assertEqual((result.code, result.outcomes()["prepare"]), (4, "failed"))
        self.assertIn("deployed by SYSTEM", result.finding("shim.prepare")["remedy"])
        result.finding("host.account", "warning")
        self.assertNotIn("Copy-EflowVmFile", self.cmdlets())

    may_leave_staged = True  # nothing can be removed where nobody gets in, and nothing was staged either

    def tearDown(self):
        super().tearDown()
        self.assert_nothing_staged()


class StepFails(Scenario):
    """Each step failing: its name, PowerShell's id and message, and nothing left."""

    def failed_step(self, step, code, result):
        self.assertEqual((result.code, result.outcomes()[step]), (code, "failed"), result.out)
        finding = result.finding(f"shim.{step}")
        self.assertIn("TestError", finding["detail"])
        self.assertIn("psm1", finding["detail"])
        self.assertEqual(result.outcomes()["clean"], "done")

    def test_deploy(self):
        self.world.exists = False
        self.world.hooks["Deploy-Eflow"] = fails("no Hyper-V", "TestError")
        result = self.provision("--deploy", "--accept-eula")
        self.failed_step("deploy", 5, result)

    def test_start(self):
        self.world.power = "Off"
        self.world.hooks["Start-EflowVm"] = fails("no memory", "TestError")
        self.failed_step("start", 4, self.provision())

    def test_prepare(self):
        self.world.hooks[("Invoke-EflowVmCommand", "prepare")] = fails("ssh failed", "TestError")
        self.failed_step("prepare", 4, self.provision())

    def test_copy(self):
        self.world.hooks["Copy-EflowVmFile"] = fails("scp failed", "TestError")
        self.failed_step("copy", 4, self.provision())

    def test_judge(self):
        self.world.hooks[("Invoke-EflowVmCommand", "judge")] = fails("ssh failed", "TestError")
        self.failed_step("judge", 4, self.provision())

    def test_provision_and_the_agent_completes_it(self):
        self.world.hooks["Provision-EflowVm"] = fails("Failed to provision", "TestError")
        result = self.provision()
        self.assertEqual((result.code, result.outcomes()["provision"], result.outcomes()["finish"]), (0, "failed", "done"))
        self.assertIn("TestError", result.finding("shim.provision", "warning")["detail"])

    def test_provision_for_a_reason_nobody_knows_is_not_done(self):
        self.world.hooks["Provision-EflowVm"] = fails("something nobody has met", "TestError")
        result = self.provision()
        self.assertEqual((result.code, result.outcomes()["finish"]), (1, "done"))
        result.finding("shim.provision")

    def test_provision_and_the_agent_cannot(self):
        self.world.hooks["Provision-EflowVm"] = fails("Failed to provision", "TestError")
        finding = {"id": "cloud.registration", "severity": "failed", "summary": "DPS refuses", "detail": "404208",
                   "remedy": "Enroll it"}
        self.vm.answer("post-install", report("post-install", 8, "failed", [finding]))
        result = self.provision()
        self.assertEqual((result.code, result.report["phase"]), (8, "failed"))
        self.assertEqual(result.finding("cloud.registration"), finding)
        result.finding("shim.provision")

    def test_finish(self):
        self.world.hooks[("Invoke-EflowVmCommand", "finish")] = fails("ssh failed", "TestError")
        self.failed_step("finish", 7, self.provision())

    def test_the_agent_refuses_before_anything_is_changed(self):
        finding = {"id": "identity.key-matches", "severity": "failed", "summary": "no", "detail": "", "remedy": ""}
        self.vm.answer("judge", report("post-install", 3, "unknown", [finding]))
        result = self.provision()
        self.assertEqual(result.code, 3)
        result.finding("identity.key-matches")
        self.assertNotIn("Provision-EflowVm", self.cmdlets())

    def test_install_self(self):
        self.vm.answer("install-self", report("install-self", 4))
        result = self.provision()
        self.assertEqual((result.code, result.outcomes()["finish"]), (4, "failed"))

    def test_verify(self):
        self.world.hooks["Verify-EflowVm"] = lambda _: (["False"], [])
        result = self.provision()
        self.assertEqual(result.code, 1)
        result.finding("shim.verify")

    def test_agent_prints_garbage(self):
        self.vm.answer("post-install", "}{ \x1b[2J", 0)
        result = self.provision()
        self.assertEqual(result.code, 70)
        self.assertNotIn("\x1b", result.out)

    def test_powershell_itself_fails(self):
        self.world.hooks["facts.ps1"] = lambda _: ("", "Cannot invoke method. Method invocation is supported only on core "
                                                       "types in this language mode.", 1)
        result = self.provision()
        self.assertEqual(result.code, 4)
        self.assertIn("language mode", result.finding("shim.run")["summary"])


class WhatPeopleMeet(Scenario):
    """Failures of the module in its own words, and what the remedy names."""

    DEPLOYMENTS = {"Signer is not trusted": "Import-Certificate",
                   "nodectl.exe compute virtualmachine create failed to execute [Error: Unable to Start HCS VM]": "virtualization",
                   "nodectl.exe compute vm show --name A-EFLOW failed to execute [unable to filter entity: Not Found]": "uninstall",
                   "Failed to acquire IP address for virtual machine": "DHCP",
                   "The virtual switch 'EFLOW' of type 'External' is not found": "New-VMSwitch",
                   "Unsupported: Required feature 'Microsoft-Hyper-V' is not available in this Windows edition.": "Hyper-V",
                   "Not enough memory in the system to start the virtual machine": "memory_mb"}

    def test_deployments(self):
        for words, named in self.DEPLOYMENTS.items():
            with self.subTest(words):
                self.world.exists, self.world.power = False, "Off"
                self.world.hooks["Deploy-Eflow"] = fails(words, "TestError")
                result = self.provision("--deploy", "--accept-eula")
                self.assertEqual(result.code, 5)
                self.assertIn(named, result.finding("shim.deploy")["remedy"])

    def test_a_deployment_that_only_tells_of_its_exception(self):
        self.world.exists, self.world.power = False, "Off"
        self.world.hooks["Deploy-Eflow"] = lambda _: ([], ["Exception caught!!!", " - Not enough CPU cores available."])
        result = self.provision("--deploy", "--accept-eula")
        self.assertEqual(result.code, 5)
        self.assertIn("cpu in [host.deploy]", result.finding("shim.deploy")["remedy"])

    def test_wssdagent_is_gone(self):
        self.world.hooks["Provision-EflowVm"] = fails("wssdagent is unreachable, please retry...")
        result = self.provision()
        self.assertEqual(result.code, 4)
        self.assertIn("Restart-Service -Name wssdagent", result.finding("shim.provision")["remedy"])

    def test_the_end_of_support_is_said_once(self):
        result = self.provision()
        self.assertEqual(result.code, 0)
        self.assertEqual([one["severity"] for one in result.report["findings"] if one["id"] == "host.support-ended"],
                         ["warning"])


class Timeouts(Scenario):
    def test_provision_hangs(self):
        self.world.hooks["Provision-EflowVm"] = lambda _: (self.world.released.wait(60), ([], []))[1]
        result = self.provision("--timeout", "8s")
        self.world.released.set()
        self.assertEqual((result.code, result.outcomes()["finish"], result.outcomes()["clean"]), (7, "timed out", "done"))

    def test_prepare_hangs(self):
        self.world.hooks[("Invoke-EflowVmCommand", "prepare")] = lambda _: (self.world.released.wait(60), ([], []))[1]
        result = self.provision("--timeout", "3s")
        self.world.released.set()
        self.assertEqual((result.code, result.outcomes()["prepare"]), (7, "timed out"))


class Cancelled(Scenario):
    """Ctrl-C in each step: the child ends, what was staged goes, and the report says what to do."""

    def cancelled(self, step, code, result):
        self.assertEqual((result.code, result.outcomes()[step], result.outcomes()["clean"]), (code, "cancelled", "done"), result.out)
        self.assertIn("Ctrl-C", result.finding(f"shim.{step}")["detail"])

    def test_in_deploy(self):
        self.world.exists = False
        self.cancelled("deploy", 7, self.provision_and_cancel("Deploy-Eflow", "--deploy", "--accept-eula"))

    def test_in_start(self):
        self.world.power = "Off"
        self.cancelled("start", 4, self.provision_and_cancel("Start-EflowVm"))

    def test_in_prepare(self):
        self.cancelled("prepare", 4, self.provision_and_cancel(("Invoke-EflowVmCommand", "prepare")))

    def test_in_copy(self):
        self.cancelled("copy", 4, self.provision_and_cancel("Copy-EflowVmFile"))

    def test_in_judge(self):
        self.cancelled("judge", 4, self.provision_and_cancel(("Invoke-EflowVmCommand", "judge")))

    def test_in_provision(self):
        self.cancelled("provision", 7, self.provision_and_cancel("Provision-EflowVm"))

    def test_in_finish(self):
        self.cancelled("finish", 7, self.provision_and_cancel(("Invoke-EflowVmCommand", "finish")))


class OtherVerbs(Scenario):
    def test_status_and_verify(self):
        self.vm.install_agent()
        self.vm.answer("status", report("status", phase="running"))
        status = self.shim("status")
        self.assertEqual((status.code, status.report["phase"]), (0, "running"))
        self.vm.answer("check", report("check", 1, "degraded"))
        self.assertEqual(self.shim("verify").code, 1)
        self.assertEqual(self.cmdlets(), ["Invoke-EflowVmCommand"] * 2)

    def test_uninstall_asks(self):
        self.vm.install_agent()
        self.assertEqual(self.shim("uninstall", feed="n\n").code, 4)
        self.assertEqual(self.world.calls, [])
        self.assertEqual(self.shim("uninstall", "--yes").code, 0)
        self.assertEqual([call[1] for call in self.vm.calls()], ["deprovision", "install-self"])

    def test_collect_logs(self):
        self.vm.install_agent()
        result = self.shim("collect-logs", "--output", "C:\\identity")
        self.assertEqual(result.code, 0, result.out)
        self.assertEqual(self.prefix.linux(result.report["data"]["files"][0]).read_text(), "bundle\n")

    def test_text_for_people_and_the_log(self):
        self.world.facts["service"]["status"] = "Stopped"
        result = self.provision(json_report=False)
        self.assertEqual(result.code, 4)
        self.assertIn("FAILED   The service wssdagent does not run", result.out)
        self.assertIn("What to do: Start-Service wssdagent", result.out)
        log = (self.home() / "log/eflow-shim.log").read_text()
        self.assertIn("exit code 4", log)

    def test_command_line_faults(self):
        self.assertEqual(self.shim("provison").code, 2)
        result = self.shim("provision", "-identityPrivatKey", "x")
        self.assertEqual(result.code, 2)
        self.assertIn("did you mean -identityPrivateKey?", result.err)

    may_leave_staged = True


if __name__ == "__main__":
    unittest.main()
