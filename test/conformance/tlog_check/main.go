// Command tlog_check reads a log that nepho serves with the packages that the Go checksum database is
// built on, golang.org/x/mod/sumdb/{note,tlog}, and shares no code with nepho.
//
// It verifies the checkpoint's signature, proves entries and earlier sizes out of the log's tiles, and
// checks proofs that nepho made. The last line of its output is what it checked, in words.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// task is what there is to check, as the test writes it.
type task struct {
	URL         string   `json:"url"`
	VKey        string   `json:"vkey"`
	Indexes     []int64  `json:"indexes"`
	OldSizes    []int64  `json:"old_sizes"`
	Receipts    []string `json:"receipts"`
	Consistency []struct {
		OldSize int64    `json:"old_size"`
		Proof   []string `json:"proof"`
	} `json:"consistency"`
}

func main() {
	path := flag.String("task", "", "file that says what to check, in JSON")
	flag.Parse()
	summary, err := run(*path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tlog_check:", err)
		os.Exit(1)
	}
	fmt.Println(summary)
}

func run(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var t task
	if err := json.Unmarshal(text, &t); err != nil {
		return "", err
	}
	verifier, err := note.NewVerifier(t.VKey)
	if err != nil {
		return "", err
	}
	signed, err := get(t.URL + "/checkpoint")
	if err != nil {
		return "", err
	}
	tree, err := openCheckpoint(signed, verifier)
	if err != nil {
		return "", err
	}
	hashes := tlog.TileHashReader(tree, &tileReader{url: t.URL})
	for _, index := range t.Indexes {
		if err := checkEntry(t.URL, tree, index, hashes); err != nil {
			return "", fmt.Errorf("entry %d: %w", index, err)
		}
	}
	for _, size := range t.OldSizes {
		if err := checkPrefix(tree, size, hashes); err != nil {
			return "", fmt.Errorf("prefix of %d: %w", size, err)
		}
	}
	for _, given := range t.Consistency {
		old, err := tlog.TreeHash(given.OldSize, hashes)
		if err != nil {
			return "", err
		}
		proof, err := decodeHashes(given.Proof)
		if err != nil {
			return "", err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, given.OldSize, old); err != nil {
			return "", fmt.Errorf("nepho's proof for prefix %d: %w", given.OldSize, err)
		}
	}
	for _, receipt := range t.Receipts {
		if err := checkReceipt(receipt, verifier); err != nil {
			return "", fmt.Errorf("receipt: %w", err)
		}
	}
	return fmt.Sprintf("checked size %d: %d entries, %d prefixes, %d consistency proofs, %d receipts",
		tree.N, len(t.Indexes), len(t.OldSizes), len(t.Consistency), len(t.Receipts)), nil
}

func openCheckpoint(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], verifier.Name()+"/") {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// checkEntry reads an entry and proves it out of the tiles.
func checkEntry(url string, tree tlog.Tree, index int64, hashes tlog.HashReader) error {
	entry, err := readEntry(url, tree.N, index)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func checkPrefix(tree tlog.Tree, size int64, hashes tlog.HashReader) error {
	old, err := tlog.TreeHash(size, hashes)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, size, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, size, old)
}

// checkReceipt verifies a c2sp.org/tlog-proof@v1 whose extra data begins with the entry.
func checkReceipt(receipt string, verifier note.Verifier) error {
	head, checkpoint, found := strings.Cut(receipt, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("not a tlog-proof: %q", head)
	}
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	entry, _, _ := bytes.Cut(extra, []byte("\n"))
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	proof, err := decodeHashes(lines[3:])
	if err != nil {
		return err
	}
	tree, err := openCheckpoint([]byte(checkpoint), verifier)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func readEntry(url string, size, index int64) ([]byte, error) {
	tile := tlog.Tile{H: tileHeight, L: 0, N: index / tileWidth, W: tileWidth}
	if rest := size - tile.N*tileWidth; rest < tileWidth {
		tile.W = int(rest)
	}
	path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
	bundle, err := get(url + "/" + path)
	if err != nil {
		return nil, err
	}
	for skip := index % tileWidth; ; skip-- {
		if len(bundle) < 2 {
			return nil, fmt.Errorf("%s ends early", path)
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if len(bundle) < 2+length {
			return nil, fmt.Errorf("%s ends early", path)
		}
		if skip == 0 {
			return bundle[2 : 2+length], nil
		}
		bundle = bundle[2+length:]
	}
}

// tileReader serves package tlog, whose own tile paths name the height, which C2SP's do not.
type tileReader struct {
	url string
}

func (r *tileReader) Height() int { return tileHeight }

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := get(r.url + "/" + strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		read[i] = data
	}
	return read, nil
}

func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func decodeHashes(texts []string) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return nil, err
		}
		hashes[i] = hash
	}
	return hashes, nil
}

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}
