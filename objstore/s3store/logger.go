package s3store

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"
)

// sdkLogger takes what the SDK logs by itself, which would go to standard error: what matters comes back as an error anyway.
type sdkLogger struct{ log *slog.Logger }

// Logf logs one message of the SDK.
func (l sdkLogger) Logf(c logging.Classification, format string, args ...any) {
	l.log.Log(context.Background(), slog.LevelDebug, "aws sdk", "class", string(c), "message", fmt.Sprintf(format, args...))
}
