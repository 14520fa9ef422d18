"""Token shards on disk, rows cut from them, and the order in which training reads the rows."""

from hanlin.data.augmentation import Augmentation, encode_marked, transformed_rows
from hanlin.data.examples import READ, ExampleRows, hide_tokens, task_shares
from hanlin.data.order import Mixture, Order
from hanlin.data.packing import PADDING, DocumentRows, Rows, StreamRows, pack_best_fit, rows_of
from hanlin.data.pairs import (
    PairBatches,
    TextPair,
    pack_pairs,
    read_text_pairs,
    write_text_pairs,
)
from hanlin.data.permutation import hash_integers, permute
from hanlin.data.phases import PhasedOrder, divide_shares
from hanlin.data.preferences import PreferenceRows
from hanlin.data.row_store import RowStore, hash_rows
from hanlin.data.shards import ShardIndex, TokenStream, open_shards, read_index, write_shards

__all__ = [
    "PADDING",
    "READ",
    "Augmentation",
    "DocumentRows",
    "ExampleRows",
    "Mixture",
    "Order",
    "PairBatches",
    "PhasedOrder",
    "PreferenceRows",
    "RowStore",
    "Rows",
    "ShardIndex",
    "StreamRows",
    "TextPair",
    "TokenStream",
    "divide_shares",
    "encode_marked",
    "hash_integers",
    "hash_rows",
    "hide_tokens",
    "open_shards",
    "pack_best_fit",
    "pack_pairs",
    "permute",
    "read_index",
    "read_text_pairs",
    "rows_of",
    "task_shares",
    "transformed_rows",
    "write_shards",
    "write_text_pairs",
]
