// Package seal makes a journal provable: whoever holds the public key, and a copy of one small signed text, can tell offline
// whether a line was changed, taken out or put in since, over rotation, compression and removal by the limits.
//
// All lines that the daemon has written are the leaves of one RFC 6962 tree, in the order of the files. A leaf is the
// hash of a line without its newline. A checkpoint (C2SP tlog-checkpoint, a signed note) says how many lines there are,
// and the root over them. The lines themselves stay as they are, plain; everything of the seal lies beside them, in the
// state directory:
//
//	seal/checkpoint       the last checkpoint
//	seal/checkpoints      those of rotations, closes and every hour, with the keys; for ever
//	seal/witnessed        the last one that the witnesses of the policy have cosigned
//	seal/leaves/<first>   32 bytes a line, one file for each plain file of the journal, named by the index of its first line
//	seal/tiles.1 tiles.2  the hash of each full tile of 256 leaves, and of each 256 of those; for ever
//	seal/edges/<n>        the hashes by which the tree can be gone on with at line n, where a file begins; for ever
//	seal/files            what is known of each file of the journal: first line, count, name, and what in it is no leaf
//	seal/reserve          64 KiB that are there on a full disk too: whether the daemon writes, and what was pruned last
//	seal/tree-<n>/        what is left of a tree that was broken
//
// Only checkpoint, checkpoints and reserve cannot be made again from the journal, and only they are believed, for they
// are signed. All else is a help whose result must come to the signed root.
//
// # The order
//
// Lines are written, then hashed as they stand in the file, then the file is synced, then the root is signed, the
// checkpoint is made durable, and then it is published. So no checkpoint says anything that a power cut can take back.
// The writer only tells the Sealer how far it has written; all else happens on the Sealer's goroutine. Nothing waits for
// it: when the disk is full, or a file cannot be read, it says why, tries again, and the journal goes on.
//
// # The start
//
// A start computes the tree over the last file or two, and compares it with the checkpoint:
//
//	as many lines                       it goes on
//	more, and the daemon was killed     the lines behind the checkpoint are taken over, which a note in the journal says
//	more, and the journal was closed    someone else wrote them: they are no leaves, and verify names them
//	fewer, or another root              the tree is never gone on with: one of the next name (x/2) begins, and verify fails there
//	leaves, tiles, edges, files damaged they are made again from the journal, and compared
//	no checkpoint, an empty journal     a tree begins, with a checkpoint of no lines
//	no checkpoint, a journal of lines   nothing is signed until somebody says 'hbjournal seal init': the state may have been stolen
//
// The first leaf of each tree is a note in the journal that says so.
//
// # Removal by the limits
//
// Before a backup is removed, a signed record in the reserve says so, and then a note in the journal: which line is the
// first that is kept, and the edge before it, so that the rest verifies without any state. A file that is missing without
// that was stolen.
//
// # Compressed and encrypted files
//
// Before a compressed or encrypted copy takes the place of a plain file, its size and SHA-256 go into files, and then a note into
// the journal whose digest is over all such records. So who has no identity still sees that the stored bytes of encrypted files are
// those that were written, each in its place.
//
// # Copies
//
// An archive's copy of a journal has the lines, with the checkpoints among them, and none of the state. The tree is computed over it in
// all ways that may be right (threads), until a checkpoint tells which is. A Copied keeps, for each file that an archive removes or
// encrypts, the edges behind it:
//
//	seal/behind/<name>    the edges of all threads at the end of the file that was rotated to this name
//
// # What it does not do
//
// It does not keep the machine's owner from signing another history: only a checkpoint that lies elsewhere does, which is
// why they are published, and why verify says "not anchored". It does not say that everything which was sent is in the
// journal: what was lost is a gap, which the journal notes by itself.
package seal
