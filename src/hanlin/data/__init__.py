"""Token shards on disk, rows cut from them, and the order in which training reads the rows."""

from hanlin.data.order import Mixture, Order
from hanlin.data.packing import PADDING, DocumentRows, Rows, StreamRows, pack_best_fit, rows_of
from hanlin.data.permutation import hash_integers, permute
from hanlin.data.shards import ShardIndex, TokenStream, open_shards, read_index, write_shards

__all__ = [
    "PADDING",
    "DocumentRows",
    "Mixture",
    "Order",
    "Rows",
    "ShardIndex",
    "StreamRows",
    "TokenStream",
    "hash_integers",
    "open_shards",
    "pack_best_fit",
    "permute",
    "read_index",
    "rows_of",
    "write_shards",
]
