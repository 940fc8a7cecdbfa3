package s3store

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 3 * time.Second
)

// backoff is a random time that doubles with the attempts: at least half of it is always waited, so that a server
// that is down is not hammered.
func backoff(attempt int) time.Duration {
	most := min(maxBackoff, firstBackoff<<min(max(attempt, 1)-1, 10))
	return most/2 + rand.N(most/2)
}

// retryer is the SDK's adaptive mode with the ends that the op sets, and without its quota: that would let calls
// fail at once when many have failed before.
type retryer struct {
	*retry.AdaptiveMode
}

func newRetryer() retryer {
	return retryer{retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.Throttles = []retry.IsErrorThrottle{&gauge{}}
		o.StandardOptions = append(o.StandardOptions, func(so *retry.StandardOptions) {
			so.RateLimiter = ratelimit.None
			so.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				return aws.BoolTernary(temporary(err))
			})}
			so.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
				return backoff(attempt), nil
			})
		})
	})}
}

// MaxAttempts is unlimited: time decides.
func (retryer) MaxAttempts() int { return 0 }

// GetRetryToken asks the op whether the attempt may be repeated.
func (r retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	if o := opOf(ctx); o != nil {
		if stop := o.again(err); stop != nil {
			return nil, stop
		}
	}
	return r.AdaptiveMode.GetRetryToken(ctx, err)
}

const (
	gaugeWeight = 0.05
	gaugeLimit  = 0.4
)

// gauge tells the adaptive mode when the server is really overloaded. One call that is told to slow down waits by
// itself; all calls do when nearly half of them are told so. Without it the odd 503 would slow a client down to a few
// calls per second.
type gauge struct {
	mu    sync.Mutex
	share float64 // guarded by mu; of the last calls, those that were throttled
}

// IsErrorThrottle is asked about every attempt, with nil for those that went well.
func (g *gauge) IsErrorThrottle(err error) aws.Ternary {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.share *= 1 - gaugeWeight
	if err == nil || !throttled(err) {
		return aws.FalseTernary
	}
	g.share += gaugeWeight
	return aws.BoolTernary(g.share > gaugeLimit)
}
