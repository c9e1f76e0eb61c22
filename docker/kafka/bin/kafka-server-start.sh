#!/bin/sh
# shellcheck disable=SC2086 # Options, not one word.
exec java $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_LOG4J_OPTS $KAFKA_OPTS \
  -cp '/opt/kafka/libs/*' kafka.Kafka "$@"
