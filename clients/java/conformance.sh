#!/bin/sh
# The conformance program, after: mvn test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
cd "$(dirname "$0")" || exit 2
exec java -cp "target/test-classes:target/classes:$(cat target/classpath)" io.batchgate.conformance.Main "$1"
