// Agree holds our logs against golang.org/x/mod, whose note and tlog packages share no code with ours.
//
//	agree check FOLDER KEY  verifies a log and its proofs, and prints the proofs that x/mod makes
//	agree vectors           prints logs that x/mod makes: keys, notes, roots, proofs, tiles
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type inclusion struct {
	Index int64    `json:"index"`
	Leaf  []byte   `json:"leaf"`
	Proof []string `json:"proof"`
}

type consistency struct {
	Old   int64    `json:"old"`
	Root  string   `json:"root"`
	Proof []string `json:"proof"`
}

type proofs struct {
	Inclusion   []inclusion   `json:"inclusion"`
	Consistency []consistency `json:"consistency"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func hash(text string) tlog.Hash {
	data, err := hex.DecodeString(text)
	must(err)
	if len(data) != tlog.HashSize {
		must(fmt.Errorf("a hash of %d bytes", len(data)))
	}
	var found tlog.Hash
	copy(found[:], data)
	return found
}

func hashes(texts []string) []tlog.Hash {
	var found []tlog.Hash
	for _, text := range texts {
		found = append(found, hash(text))
	}
	return found
}

func texts(found []tlog.Hash) []string {
	list := []string{}
	for _, one := range found {
		list = append(list, hex.EncodeToString(one[:]))
	}
	return list
}

// path is that of tlog-tiles, which leaves the height out.
func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

type folder string

func (f folder) Height() int                         { return height }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), path(tile)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func leavesOf(place string, size int64) [][]byte {
	var leaves [][]byte
	for int64(len(leaves)) < size {
		index, width := int64(len(leaves))/256, size-int64(len(leaves))
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: height, L: 0, N: index, W: int(width)}
		name := strings.Replace(path(tile), "tile/0/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(place, name))
		must(err)
		for len(data) > 0 {
			length := 2 + (int(data[0])<<8 | int(data[1]))
			leaves, data = append(leaves, data[2:length]), data[length:]
		}
	}
	return leaves
}

func check(place, key string) {
	verifier, err := note.NewVerifier(key)
	must(err)
	signed, err := os.ReadFile(filepath.Join(place, "checkpoint"))
	must(err)
	opened, err := note.Open(signed, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		must(fmt.Errorf("the checkpoint is of %s", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, folder(place))
	leaves := leavesOf(place, size)
	for n, leaf := range leaves {
		found, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(n))})
		must(err)
		if found[0] != tlog.RecordHash(leaf) {
			must(fmt.Errorf("leaf %d has another hash than its tile says", n))
		}
	}
	data, err := os.ReadFile(filepath.Join(place, "proofs.json"))
	must(err)
	var ours proofs
	must(json.Unmarshal(data, &ours))
	for i, one := range ours.Inclusion {
		must(tlog.CheckRecord(hashes(one.Proof), size, root, one.Index, tlog.RecordHash(one.Leaf)))
		proof, err := tlog.ProveRecord(size, one.Index, reader)
		must(err)
		ours.Inclusion[i].Proof = texts(proof)
	}
	for i, one := range ours.Consistency {
		must(tlog.CheckTree(hashes(one.Proof), size, root, one.Old, hash(one.Root)))
		proof, err := tlog.ProveTree(size, one.Old, reader)
		must(err)
		ours.Consistency[i].Proof = texts(proof)
	}
	must(json.NewEncoder(os.Stdout).Encode(ours))
}

type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		found = append(found, s[index])
	}
	return found, nil
}

type vector struct {
	Size  int64             `json:"size"`
	Note  string            `json:"note"`
	Tiles map[string]string `json:"tiles"`
	proofs
}

func vectors() {
	origin := "audit.example/agreed"
	private, public, err := note.GenerateKey(bytes.NewReader(make([]byte, 1024)), origin)
	must(err)
	signer, err := note.NewSigner(private)
	must(err)
	var all stored
	found := []vector{}
	wanted := map[int64]bool{1: true, 2: true, 3: true, 7: true, 8: true, 255: true, 256: true, 257: true, 600: true}
	for n := int64(0); n < 600; n++ {
		made, err := tlog.StoredHashes(n, []byte(fmt.Sprintf("leaf %d", n)), all)
		must(err)
		all = append(all, made...)
		if wanted[n+1] {
			found = append(found, vectorOf(n+1, origin, signer, all))
		}
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"made_with": "golang.org/x/mod/sumdb, note and tlog",
		"private":   private, "public": public, "logs": found,
	}))
}

func vectorOf(size int64, origin string, signer note.Signer, all stored) vector {
	root, err := tlog.TreeHash(size, all)
	must(err)
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	one := vector{Size: size, Note: string(signed), Tiles: map[string]string{}}
	widest := map[tlog.Tile]tlog.Tile{} // it names the narrower ones before it, too
	for _, tile := range tlog.NewTiles(height, 0, size) {
		widest[tlog.Tile{H: height, L: tile.L, N: tile.N}] = tile
	}
	for _, tile := range widest {
		data, err := tlog.ReadTileData(tile, all)
		must(err)
		hashed := tlog.RecordHash(data)
		one.Tiles[path(tile)] = hex.EncodeToString(hashed[:])
	}
	for _, index := range []int64{0, size / 2, size - 1} {
		proof, err := tlog.ProveRecord(size, index, all)
		must(err)
		one.Inclusion = append(one.Inclusion, inclusion{index, []byte(fmt.Sprintf("leaf %d", index)), texts(proof)})
		old := index + 1
		oldRoot, err := tlog.TreeHash(old, all)
		must(err)
		extends, err := tlog.ProveTree(size, old, all)
		must(err)
		one.Consistency = append(one.Consistency, consistency{old, hex.EncodeToString(oldRoot[:]), texts(extends)})
	}
	return one
}

func main() {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "check":
		check(os.Args[2], os.Args[3])
	case len(os.Args) == 2 && os.Args[1] == "vectors":
		vectors()
	default:
		must(fmt.Errorf("agree check FOLDER KEY, or agree vectors"))
	}
}
