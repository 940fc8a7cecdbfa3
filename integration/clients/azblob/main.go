// Command azblob uses signed URLs with the Go SDK of the service that they imitate. It ends with 0 when all that it read is what it wrote.
package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{stream, buffer, whole, failures} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stream uploads 3 MiB and a bit of unknown length in blocks of 1 MiB, several at a time.
func stream(ctx context.Context) error {
	data := random(3<<20 + 17)
	c, err := upload("go/stream.bin")
	if err != nil {
		return err
	}
	if _, err := c.UploadStream(ctx, bytes.NewReader(data), &blockblob.UploadStreamOptions{BlockSize: 1 << 20, Concurrency: 4}); err != nil {
		return err
	}
	return same(ctx, "go/stream.bin", data, "application/octet-stream")
}

// buffer uploads known bytes in blocks, with everything that may come with a list.
func buffer(ctx context.Context) error {
	data := random(5<<20 + 1)
	sum := md5.Sum(data)
	c, err := upload("go/buffer.png")
	if err != nil {
		return err
	}
	_, err = c.UploadBuffer(ctx, data, &blockblob.UploadBufferOptions{
		BlockSize: 1 << 20, Concurrency: 5, Metadata: map[string]*string{"camelCase": to.Ptr("kept")},
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: to.Ptr("image/png"), BlobContentMD5: sum[:], BlobCacheControl: to.Ptr("no-cache")},
	})
	if err != nil {
		return err
	}
	return same(ctx, "go/buffer.png", data, "image/png")
}

// whole uploads with one request, and again without overwriting.
func whole(ctx context.Context) error {
	c, err := upload("go/whole.txt")
	if err != nil {
		return err
	}
	none := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
	body := func(s string) io.ReadSeekCloser { return streaming.NopCloser(strings.NewReader(s)) }
	if _, err := c.Upload(ctx, body("whole"), &blockblob.UploadOptions{AccessConditions: none}); err != nil {
		return err
	}
	_, err = c.Upload(ctx, body("again"), &blockblob.UploadOptions{AccessConditions: none})
	if err := refused(err, http.StatusConflict, "BlobAlreadyExists"); err != nil {
		return err
	}
	return same(ctx, "go/whole.txt", []byte("whole"), "application/octet-stream")
}

// failures wants the errors that the SDK knows by name.
func failures(ctx context.Context) error {
	c, err := upload("go/failures")
	if err != nil {
		return err
	}
	_, err = c.Delete(ctx, nil)
	if err := refused(err, http.StatusForbidden, "AuthorizationPermissionMismatch"); err != nil {
		return err
	}
	_, err = c.CommitBlockList(ctx, []string{"bm9uZQ=="}, nil)
	if err := refused(err, http.StatusBadRequest, "InvalidBlockList"); err != nil {
		return err
	}
	_, err = c.DownloadStream(ctx, nil)
	return refused(err, http.StatusForbidden, "AuthorizationPermissionMismatch")
}

func refused(err error, status int, code string) error {
	var e *azcore.ResponseError
	if !errors.As(err, &e) || e.StatusCode != status || e.ErrorCode != code {
		return fmt.Errorf("want %d %s, got %w", status, code, err)
	}
	return nil
}

// same reads a blob in all the ways of the SDK.
func same(ctx context.Context, key string, want []byte, kind string) error {
	c, err := download(key)
	if err != nil {
		return err
	}
	props, err := c.GetProperties(ctx, nil)
	if err != nil {
		return err
	}
	if *props.ContentLength != int64(len(want)) || *props.ContentType != kind || *props.BlobType != blob.BlobTypeBlockBlob {
		return fmt.Errorf("%s: %d bytes of %s, want %d of %s", key, *props.ContentLength, *props.ContentType, len(want), kind)
	}
	res, err := c.DownloadStream(ctx, nil)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(res.NewRetryReader(ctx, nil))
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("%s: stream of %d bytes, want %d: %w", key, len(got), len(want), err)
	}
	buf := make([]byte, len(want))
	if _, err := c.DownloadBuffer(ctx, buf, &blob.DownloadBufferOptions{BlockSize: 512 << 10, Concurrency: 4}); err != nil || !bytes.Equal(buf, want) {
		return fmt.Errorf("%s: ranges are not what was written: %w", key, err)
	}
	return nil
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func upload(key string) (*blockblob.Client, error) {
	u, err := prepare("prepareUpload", "uploadURL", key)
	if err != nil {
		return nil, err
	}
	return blockblob.NewClientWithNoCredential(u, nil)
}

func download(key string) (*blob.Client, error) {
	u, err := prepare("prepareDownload", "downloadURL", key)
	if err != nil {
		return nil, err
	}
	return blob.NewClientWithNoCredential(u, nil)
}

// prepare asks the service for a signed URL.
func prepare(op, member, key string) (string, error) {
	body, err := json.Marshal(map[string]any{"binaryStreamObject": map[string]any{
		"type": "binarystreamobject", "properties": map[string]string{"objectKey": key},
	}})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, os.Getenv("TOTE_URL")+"/api/binarystreamobjectservice/"+op, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("auth-client-id", os.Getenv("TOTE_CLIENT"))
	req.Header.Set("auth-client-secret", os.Getenv("TOTE_SECRET"))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		Response struct {
			BinaryStreamObjects []struct{ Properties map[string]any }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return "", err
	}
	if len(answer.Response.BinaryStreamObjects) == 0 {
		return "", fmt.Errorf("%s %s: %s", op, key, res.Status)
	}
	u, _ := answer.Response.BinaryStreamObjects[0].Properties[member].(string)
	return u, nil
}
