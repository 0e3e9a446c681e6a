# edgeAgent's log as upstream writes it (edge-agent, Program.cs, EdgeAgentConnection.cs); then it waits.
say() { echo "<$1> $(date -u +%Y-%m-%d\ %H:%M:%S.000) +00:00 [$2] - $3"; }
trap 'say 6 INF "Termination requested, initiating shutdown."; exit 0' TERM
say 6 INF "Initializing Edge Agent."
say 6 INF "Version - 1.5.21"
say 6 INF "Starting module management agent."
say 6 INF "Edge agent attempting to connect to IoT Hub via Amqp_Tcp_Only..."
say 6 INF "Edge agent connected to IoT Hub via Amqp_Tcp_Only."
say 6 INF "Obtained Edge agent twin from IoTHub with desired properties version 1 and reported properties version 1."
say 6 INF "Deployment config in edge agent's desired properties is empty."
while :; do sleep 1000 & wait $!; done
