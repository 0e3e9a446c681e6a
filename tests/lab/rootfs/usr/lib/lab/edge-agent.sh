# edgeAgent's log as upstream writes it at level info (edge-agent/src: Program.cs, ModuleClientProvider.cs,
# EdgeAgentConnection.cs, BackupConfigSource.cs, ShutdownHandler.cs): it connects to the hub that edged names in its
# environment, fetches an empty twin and waits. The hub is reached for real, as far as a TCP connection goes; without
# IOTEDGE_IOTHUBHOSTNAME it is there.
stamp() { date -u +%Y-%m-%d\ %H:%M:%S.000; }
say() { echo "<$1> $(stamp) +00:00 [$2] - $3"; }
leave() {
    say 6 INF "Termination requested, initiating shutdown."
    say 6 INF "Waiting for cleanup to finish"
    say 6 INF "Initiating shutdown cleanup."
    say 6 INF "Done with cleanup. Shutting down."
    exit 0
}
trap leave TERM

# Why a connection failed, as .NET words it.
why() {
    case $1 in
        *"Connection refused"*) echo "System.Net.Sockets.SocketException (111): Connection refused" ;;
        *"bad address"*) echo "System.Net.Sockets.SocketException (00000005, 0xFFFDFFFF): Name or service not known" ;;
        *"unreachable"*) echo "System.Net.Sockets.SocketException (101): Network is unreachable" ;;
        *) echo "System.TimeoutException: Operation timeout expired." ;;
    esac
}

# One attempt over one transport.
attempt() {
    say 6 INF "Edge agent attempting to connect to IoT Hub via $1..."
    [ -n "$IOTEDGE_IOTHUBHOSTNAME" ] || return 0
    said=$(nc -w 2 "$IOTEDGE_IOTHUBHOSTNAME" "$2" 2>&1 < /dev/null) && return 0
    reason=$(why "$said")
    return 1
}

# ModuleClientProvider.cs: with UpstreamProtocol set, that one and no warning; else AMQP, then AMQP over WebSockets, and a
# warning when both failed.
connect() {
    case $UpstreamProtocol in
        [Aa]mqp[Ww]s) transport=Amqp_WebSocket_Only; attempt $transport 443 ;;
        [Mm]qtt) transport=Mqtt_Tcp_Only; attempt $transport 8883 ;;
        [Mm]qtt[Ww]s) transport=Mqtt_WebSocket_Only; attempt $transport 443 ;;
        [Aa]mqp) transport=Amqp_Tcp_Only; attempt $transport 5671 ;;
        *)
            transport=Amqp_Tcp_Only; attempt $transport 5671 && return 0
            first=$reason
            transport=Amqp_WebSocket_Only; attempt $transport 443 && return 0
            say 4 WRN "Error creating a device-to-cloud connection"
            echo "System.AggregateException: One or more errors occurred. (${first#*: }) (Unable to connect to the remote server)"
            echo " ---> $first"
            echo "   at Microsoft.Azure.Devices.Client.Transport.Amqp.AmqpUnit.OpenAsync(CancellationToken cancellationToken)"
            echo "   --- End of inner exception stack trace ---"
            echo " ---> (Inner Exception #1) System.Net.WebSockets.WebSocketException (0x80004005): Unable to connect to the remote server"
            echo " ---> $reason<---"
            return 1
            ;;
    esac
}

echo "$(stamp) +00:00 Edge Agent Main()"
say 6 INF "Initializing Edge Agent."
say 6 INF "Version - 1.5.21.89541267 (c2a9ea7ed3f5e8e4d5b0f9ab0c2ad8bd2a5f1c33)"
say 6 INF "ModuleUpdateMode: NonBlocking"
say 6 INF 'Experimental features configuration: {"Enabled":false,"DisableCloudSubscriptions":false}'
say 6 INF "Installing certificates [CN=iotedged workload ca lab:01/01/2027 00:00:00] to Root"
say 6 INF "Starting metrics listener on Host: *, Port: 9600, Suffix: metrics"
say 6 INF "Updating performance metrics every 05m:00s"
say 6 INF "Started operation Get system resources"
say 6 INF "Collecting metadata metrics"
say 6 INF "Registering request handler UploadModuleLogs"
say 6 INF "Registering request handler GetModuleLogs"
say 6 INF "Registering request handler UploadSupportBundle"
say 6 INF "Registering request handler RestartModule"
say 6 INF "Registering request handler ping"
say 6 INF "Registering request handler GetTaskStatus"
say 6 INF "Started operation refresh twin config"
# Upstream waits 2 s at least, a minute at most (ModuleClientProvider.cs, TransientRetryStrategy), and meanwhile the
# reconcile loop has no configuration every 5 s.
until connect; do
    say 4 WRN "Empty edge agent config was received. Attempting to read config from backup (/tmp/edgeAgent/backup.json) instead"
    sleep 2 & wait $!
done
say 6 INF "Edge agent connected to IoT Hub via $transport."
say 6 INF "Obtained Edge agent twin from IoTHub with desired properties version 1 and reported properties version 1."
say 6 INF "Deployment config in edge agent's desired properties is empty."
say 3 ERR "Error refreshing edge agent configuration from twin."
echo "Microsoft.Azure.Devices.Edge.Agent.Core.ConfigSources.ConfigEmptyException: This device has an empty configuration for the edge agent. Please set a deployment manifest."
echo "   at Microsoft.Azure.Devices.Edge.Agent.IoTHub.EdgeAgentConnection.UpdateDeploymentConfig(TwinCollection desiredProperties)"
echo "   at Microsoft.Azure.Devices.Edge.Agent.IoTHub.EdgeAgentConnection.<RefreshTwinAsync>b__36_0(Twin twin)"
while :; do sleep 1000 & wait $!; done
