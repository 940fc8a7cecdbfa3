package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tote/integration/bench/child"
	"tote/integration/bench/s3op"
)

// What all targets are told, so that they do the same.
const (
	partSize = 8 << 20
	parallel = 4
	bucket   = "bench"
	region   = "us-east-1"
)

const fuseMagic = 0x65735546

// startS3 starts the S3 server and makes the bucket.
func (l *lab) startS3(ctx context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	l.s3 = s3op.Server{Endpoint: "http://" + addr, Region: region, AccessKey: "bench", SecretKey: rand.Text(), Bucket: bucket}
	l.bucket = s3op.New(l.s3, partSize, parallel)
	l.targets[sdk] = &target{name: sdk}
	binary, err := filepath.Abs(l.cfg.versitygw)
	if err != nil {
		return err
	}
	env := []string{"ROOT_ACCESS_KEY=" + l.s3.AccessKey, "ROOT_SECRET_KEY=" + l.s3.SecretKey}
	argv := []string{binary, "--port", addr, "--region", region, "--keep-alive", "--quiet", "posix", l.path("buckets")}
	_, err = l.serve(ctx, "versitygw", env, argv, func(*child.Process) func() error { return func() error { return l.bucket.MakeBucket(ctx) } })
	return err
}

// credentials is the environment from which the AWS SDK and rclone take their keys.
func (l *lab) credentials() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + l.s3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + l.s3.SecretKey, "AWS_REGION=" + region,
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_CA_BUNDLE=",
	}
}

// mount is a mount of the bucket, whose server can be started again without what it has cached.
type mount struct {
	lab       *lab
	target    *target
	mnt       string
	cache     string // emptied before the server starts again
	env, argv []string
	up        func(*child.Process) func() error // nil: the mount is there
	now       *child.Process
	peak      int64 // of those before
}

// start starts the server for the first time and enters it as a target.
func (m *mount) start(ctx context.Context) error {
	m.target.again, m.target.peak = m.again, m.most
	m.lab.targets[m.target.name] = m.target
	if !slices.Contains(m.lab.mounts, m.mnt) {
		m.lab.mounts = append(m.lab.mounts, m.mnt)
	}
	return m.serve(ctx)
}

func (m *mount) serve(ctx context.Context) (err error) {
	up := m.up
	if up == nil {
		up = func(*child.Process) func() error { return m.mounted }
	}
	m.now, err = m.lab.serve(ctx, m.target.name, m.env, m.argv, up)
	return err
}

// mounted returns an error while nothing is mounted.
func (m *mount) mounted() error {
	var st unix.Statfs_t
	if err := unix.Statfs(m.mnt, &st); err != nil {
		return err
	}
	if st.Type != fuseMagic {
		return errors.New("nothing is mounted yet")
	}
	return nil
}

// again starts the server anew with an empty cache.
func (m *mount) again(ctx context.Context) error {
	peak, err := m.most()
	if err != nil {
		return err
	}
	m.peak = peak
	m.lab.servers = slices.DeleteFunc(m.lab.servers, func(p *child.Process) bool { return p == m.now })
	if err := m.now.Stop(stopPatience); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(m.cache), os.Mkdir(m.cache, 0o700)); err != nil {
		return err
	}
	return m.serve(ctx)
}

// most is the most memory that any of the servers had.
func (m *mount) most() (int64, error) {
	n, err := m.now.Peak()
	return max(n, m.peak), err
}

func (l *lab) startRclone(ctx context.Context) error {
	env := append(l.credentials(), "RCLONE_CONFIG_S_TYPE=s3", "RCLONE_CONFIG_S_PROVIDER=Other", "RCLONE_CONFIG_S_ENV_AUTH=true",
		"RCLONE_CONFIG_S_ENDPOINT="+l.s3.Endpoint, "RCLONE_CONFIG_S_REGION="+region, "RCLONE_CONFIG_S_FORCE_PATH_STYLE=true")
	m := &mount{lab: l, mnt: l.path("rclone"), cache: l.path("rclone-cache"), env: env}
	m.target = &target{name: rclone, dir: m.mnt, keys: rclone + "/"}
	m.argv = []string{rclone, "mount", "s:" + bucket + "/" + rclone, m.mnt, "--config", "", "--cache-dir", m.cache, "--vfs-cache-mode", "full",
		"--vfs-write-back", "0s", "--s3-chunk-size", fmt.Sprint(partSize), "--s3-upload-concurrency", fmt.Sprint(parallel)}
	return m.start(ctx)
}

func (l *lab) startS3FS(ctx context.Context) error {
	password := l.path("s3fs-password")
	if err := os.WriteFile(password, []byte(l.s3.AccessKey+":"+l.s3.SecretKey), 0o600); err != nil {
		return err
	}
	m := &mount{lab: l, mnt: l.path("s3fs"), cache: l.path("s3fs-cache")}
	m.target = &target{name: s3fs, dir: filepath.Join(m.mnt, s3fs), keys: s3fs + "/"}
	options := []string{"url=" + l.s3.Endpoint, "endpoint=" + region, "use_path_request_style", "passwd_file=" + password, "use_cache=" + m.cache,
		"tmpdir=" + l.work, fmt.Sprintf("multipart_size=%d", partSize>>20), fmt.Sprintf("parallel_count=%d", parallel)}
	m.argv = []string{s3fs, bucket, m.mnt, "-f", "-o", strings.Join(options, ",")}
	if err := m.start(ctx); err != nil {
		return err
	}
	return os.Mkdir(m.target.dir, 0o755)
}

func (l *lab) startToteOnS3(ctx context.Context) error {
	t, argv, env, ready, err := l.toteServer(tote, l.path("data"), rand.Text())
	if err != nil {
		return err
	}
	q := url.Values{"endpoint": {l.s3.Endpoint}, "region": {region}, "path-style": {"true"}}
	argv = append(argv, "--store", "s3://"+bucket+"/tote?"+q.Encode(), "--part-size", fmt.Sprint(partSize), "--uploads", fmt.Sprint(parallel))
	m := &mount{lab: l, target: t, mnt: t.dir, cache: l.path("data", "cache"), env: append(env, l.credentials()...), argv: argv, up: ready}
	return m.start(ctx)
}

// storedPatience bounds the wait for a target that uploads after it has said that it is done.
const storedPatience = 5 * time.Minute
