package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
)

const defaultRegion = "us-east-1"

// Open connects to a bucket, tries out what its server can do and logs that. It fails with a sentence that says what
// to do when there is no server, no bucket or no access.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s, err := open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", opts, err)
	}
	s.opts.Logger.Info("s3 store", "url", s.opts.String(), "can", s.caps)
	return s, nil
}

func open(ctx context.Context, opts Options) (*Store, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	cfg, err := load(ctx, opts)
	if err != nil {
		return nil, err
	}
	s := newStore(opts, cfg)
	if err := s.hasCredentials(ctx, cfg); err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, openPatience)
		defer cancel()
	}
	if err := s.probe(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// load reads what the SDK finds in the environment and in ~/.aws.
func load(ctx context.Context, opts Options) (aws.Config, error) {
	set := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(transport(opts.Stall))),
		config.WithLogger(sdkLogger{opts.Logger}),
	}
	if opts.Region != "" {
		set = append(set, config.WithRegion(opts.Region))
	}
	if opts.Credentials != nil {
		set = append(set, config.WithCredentialsProvider(opts.Credentials))
	}
	cfg, err := config.LoadDefaultConfig(ctx, set...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("the configuration of the aws sdk: %w", err)
	}
	if cfg.Region == "" && opts.Endpoint != "" {
		cfg.Region = defaultRegion // servers of one's own have no regions, but signatures need one
	}
	if cfg.Region == "" {
		return aws.Config{}, errors.New("no region is given: add region=… to the store url or set AWS_REGION")
	}
	return cfg, nil
}

func newStore(opts Options, cfg aws.Config) *Store {
	s := &Store{opts: opts, base: baseOf(opts.Prefix), buffers: newBuffers(), ended: newEndings()}
	s.caps.Checksums = true // until the probe knows better
	plain := s3.HTTPClient(cfg.HTTPClient)
	if opts.client != nil {
		plain = opts.client
	}
	s.idle, _ = plain.(interface{ CloseIdleConnections() })
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if opts.Endpoint != "" {
			o.BaseEndpoint = &opts.Endpoint
		}
		o.UsePathStyle = opts.PathStyle
		o.Retryer = newRetryer()
		o.HTTPClient = watchedClient{plain, opts.Stall}
		// Checksums are ours: computed once, and sent as a header instead of a trailer that few servers know.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		// A wrong clock would break presigned URLs without a word; it is reported instead.
		o.DisableClockSkewCorrection = true
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	s.presign = s3.NewPresignClient(s.client)
	return s
}

func (s *Store) hasCredentials(ctx context.Context, cfg aws.Config) error {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	if cfg.Credentials == nil {
		return fmt.Errorf("%w: %s", objstore.ErrDenied, noCredentials)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("%w: %s: %w", objstore.ErrDenied, noCredentials, err)
	}
	return nil
}

const noCredentials = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put them into ~/.aws/credentials"

// advise turns the error of the first request into what to do about it.
func (s *Store) advise(err error) error {
	switch o := outcome(err); {
	case err == nil:
		return nil
	case o == errNoBucket, o == objstore.ErrNotFound:
		return fmt.Errorf("there is no bucket %q (%s): create it, or correct the store url", s.opts.Bucket, describe(err))
	case o == errSkew:
		return fmt.Errorf("%w: %s: set the clock of this machine (now %s)", errSkew, describe(err), time.Now().UTC().Format(time.RFC3339))
	case o == objstore.ErrDenied:
		return fmt.Errorf("%w: %s: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and their rights on the bucket", objstore.ErrDenied, describe(err))
	case statusOf(err) == http.StatusMovedPermanently || statusOf(err) == http.StatusTemporaryRedirect:
		return fmt.Errorf("the bucket is in another region or at another endpoint (%s): correct region=… in the store url", describe(err))
	case o == nil:
		return fmt.Errorf("what answers is no S3 server, or speaks another protocol (%s): correct endpoint=… in the store url", describe(err))
	}
	return err
}
