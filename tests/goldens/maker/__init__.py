"""What `make_peft_goldens.py` and `check_with_peft.py` share."""

import warnings

from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
logging.disable_progress_bar()
