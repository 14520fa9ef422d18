"""Text: reading, cleaning, deduplication, language, segmentation, the corpus and its manifest.

from hanlin.text import build_corpus, iterate_documents

manifest = build_corpus(recipe.corpus, run / "corpus", base=recipe_folder)
for document in iterate_documents(run / "corpus", "main", "train"): ...
"""

from hanlin.text.cleaning import clean_text, convert_script, repair_mojibake
from hanlin.text.contamination import RunIndex
from hanlin.text.corpus import build_corpus
from hanlin.text.dedup import find_duplicates, find_near_duplicates, minhash, text_hash
from hanlin.text.documents import Document, short_language
from hanlin.text.encodings import decode_bytes, find_encoding
from hanlin.text.language import find_language
from hanlin.text.manifest import Manifest, PartManifest, load_manifest
from hanlin.text.quality import find_fault, profile_text
from hanlin.text.readers import read_documents
from hanlin.text.segmentation import STOP_WORDS, segment_words
from hanlin.text.sources import check_sources
from hanlin.text.split import SPLITS, Split, assign_splits
from hanlin.text.stored import iterate_documents
from hanlin.text.units import hash_ngrams, hash_units

__all__ = [
    "SPLITS",
    "STOP_WORDS",
    "Document",
    "Manifest",
    "PartManifest",
    "RunIndex",
    "Split",
    "assign_splits",
    "build_corpus",
    "check_sources",
    "clean_text",
    "convert_script",
    "decode_bytes",
    "find_duplicates",
    "find_encoding",
    "find_fault",
    "find_language",
    "find_near_duplicates",
    "hash_ngrams",
    "hash_units",
    "iterate_documents",
    "load_manifest",
    "minhash",
    "profile_text",
    "read_documents",
    "repair_mojibake",
    "segment_words",
    "short_language",
    "text_hash",
]
