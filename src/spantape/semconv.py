"""Attribute names: OpenTelemetry's GenAI conventions, and our own where they have none.

Source: open-telemetry/semantic-conventions-genai at 024a4f944a1291fcb627c9c47da69e79868dd15e (October 2026; there is no
tagged release yet). The constants of the Python packages are all marked deprecated upstream, hence this list.
"""

from __future__ import annotations

# --- the operation
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION_ID = "gen_ai.conversation.id"
CONVERSATION_COMPACTED = "gen_ai.conversation.compacted"
OUTPUT_TYPE = "gen_ai.output.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
ERROR_TYPE = "error.type"
HTTP_STATUS = "http.response.status_code"

# Operations that the conventions have no name for yet: the words of the API, which LiteLLM uses, too. Proposed there
# are text_to_speech and speech_to_text (semantic-conventions-genai#390); OpenLIT only tells image from audio.
IMAGE_GENERATION = "image_generation"
IMAGE_EDIT = "image_edit"
IMAGE_VARIATION = "image_variation"
SPEECH = "speech"
TRANSCRIPTION = "transcription"
TRANSLATION = "translation"

# --- what was asked for
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count"
REQUEST_SEED = "gen_ai.request.seed"
REQUEST_STREAM = "gen_ai.request.stream"
REQUEST_TOP_K = "gen_ai.request.top_k"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES = "gen_ai.request.stop_sequences"
REQUEST_REASONING_LEVEL = "gen_ai.request.reasoning.level"
REQUEST_ENCODING_FORMATS = "gen_ai.request.encoding_formats"
REQUEST_PREVIOUS_RESPONSE_ID = "gen_ai.request.previous_response.id"
REQUEST_STREAM_CURSOR = "gen_ai.request.stream_cursor"
PROMPT_NAME = "gen_ai.prompt.name"
PROMPT_VERSION = "gen_ai.prompt.version"

# --- what came back
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_STATUS = "gen_ai.response.status"
RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
EMBEDDINGS_DIMENSION_COUNT = "gen_ai.embeddings.dimension.count"
MODERATION_FLAGGED = "spantape.moderation.flagged"

# --- tokens; the detailed ones are subsets of the two totals
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
TEXT_INPUT_TOKENS = "gen_ai.usage.text.input_tokens"
TEXT_OUTPUT_TOKENS = "gen_ai.usage.text.output_tokens"
TEXT_CACHE_READ_TOKENS = "gen_ai.usage.text.cache_read.input_tokens"
IMAGE_INPUT_TOKENS = "gen_ai.usage.image.input_tokens"
IMAGE_OUTPUT_TOKENS = "gen_ai.usage.image.output_tokens"
IMAGE_CACHE_READ_TOKENS = "gen_ai.usage.image.cache_read.input_tokens"
AUDIO_INPUT_TOKENS = "gen_ai.usage.audio.input_tokens"
AUDIO_OUTPUT_TOKENS = "gen_ai.usage.audio.output_tokens"
AUDIO_CACHE_READ_TOKENS = "gen_ai.usage.audio.cache_read.input_tokens"
SECONDS = "spantape.usage.seconds"
SVG_INPUT_TOKENS = "spantape.usage.svg.input_tokens"
SVG_OUTPUT_TOKENS = "spantape.usage.svg.output_tokens"
USAGE_ESTIMATED = "spantape.usage.estimated"
ACCEPTED_PREDICTION_TOKENS = "spantape.usage.accepted_prediction_tokens"
REJECTED_PREDICTION_TOKENS = "spantape.usage.rejected_prediction_tokens"
COUNTED_TOKENS = "spantape.counted_tokens"
"""What a call counted that only counts: tokens which were neither used nor paid for."""

# Operations of whoever makes calls, or none: each call in them is told by itself.
INVOKE_AGENT = "invoke_agent"
INVOKE_WORKFLOW = "invoke_workflow"
EXECUTE_TOOL = "execute_tool"
RETRIEVAL = "retrieval"
AROUND_CALLS = frozenset({INVOKE_AGENT, INVOKE_WORKFLOW, EXECUTE_TOOL, RETRIEVAL, "create_agent", "plan"})

# --- content
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
TOOL_DEFINITIONS = "gen_ai.tool.definitions"
PROMPT_VARIABLE = "gen_ai.prompt.variable."
"""The beginning of a name: what follows is the variable's own."""

# --- HTTP
REQUEST_HEADER = "http.request.header."
RESPONSE_HEADER = "http.response.header."
"""The beginnings of names: what follows is the header's own."""

# --- OpenAI
OPENAI_API_TYPE = "openai.api.type"
OPENAI_REQUEST_SERVICE_TIER = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER = "openai.response.service_tier"
OPENAI_SYSTEM_FINGERPRINT = "openai.response.system_fingerprint"

# --- agents, here or at the provider, and what runs in them
AGENT_ID = "gen_ai.agent.id"
AGENT_NAME = "gen_ai.agent.name"
RUN_STATUS = "spantape.run.status"
WORKFLOW_NAME = "gen_ai.workflow.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_DESCRIPTION = "gen_ai.tool.description"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"
RETRIEVAL_TOP_K = "gen_ai.retrieval.top_k"
RETRIEVAL_QUERY = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS = "gen_ai.retrieval.documents"
STEP_TYPE = "spantape.step.type"
"""What a step of a framework is, which the conventions know nothing of: chain, node, prompt, parser."""
STEP_NAME = "spantape.step.name"
INTERRUPTED = "spantape.interrupted"
CACHE_HIT = "spantape.cache_hit"

# --- batches; what they used is told again by every look at them, and so is no usage of a call
BATCH_ID = "spantape.batch.id"
BATCH_STATUS = "spantape.batch.status"
BATCH_ENDPOINT = "spantape.batch.endpoint"
BATCH_INPUT_FILE = "spantape.batch.input_file_id"
BATCH_OUTPUT_FILE = "spantape.batch.output_file_id"
BATCH_ERROR_FILE = "spantape.batch.error_file_id"
BATCH_REQUESTS_TOTAL = "spantape.batch.requests.total"
BATCH_REQUESTS_COMPLETED = "spantape.batch.requests.completed"
BATCH_REQUESTS_FAILED = "spantape.batch.requests.failed"
BATCH_INPUT_TOKENS = "spantape.batch.usage.input_tokens"
BATCH_OUTPUT_TOKENS = "spantape.batch.usage.output_tokens"

# --- whom a call belongs to
SESSION_ID = "session.id"
USER_ID = "user.id"
AGENT_KEY = "spantape.agent_key"
ROLE_NAME = "spantape.role_name"
STEP_ID = "spantape.step_id"
ROUND_INDEX = "spantape.round_index"
TOPIC = "spantape.topic"
METADATA = "spantape.metadata"
MESSAGE_ID = "spantape.message_id"

# --- what is told by hand, or later
STAGE = "spantape.stage"
PERFORMANCE = "spantape.performance_metrics"
AMENDS = "spantape.amends.id"
AMENDS_SINCE = "spantape.amends.start_time"
"""An amendment is a span that says of another one, which it links to, what was not known when that ended."""

# --- where in the application's code a call was made
CODE_FUNCTION = "code.function.name"
CODE_FILE = "code.file.path"
CODE_LINE = "code.line.number"

# --- metrics
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - no secret
TOKEN_MODALITY = "gen_ai.token.modality"  # noqa: S105

# --- ours about a call
STATUS = "spantape.status"
REQUEST_PARAMETERS = "spantape.request.parameters"
RETRIES = "spantape.retries"
REQUEST_ID = "spantape.request_id"
SERVER_TIME = "spantape.server_time_ms"
STREAM_END = "spantape.stream.end"
STREAM_CHUNKS = "spantape.stream.chunks"
PROVIDER_ERROR_TYPE = "spantape.error.type"
ERROR_CODE = "spantape.error.code"
ERROR_MESSAGE = "spantape.error.message"
CONTENT_DROPPED = "spantape.content.dropped"
CONTENT_TRUNCATED = "spantape.content.truncated"

# --- money
COST_INPUT = "spantape.cost.input"
COST_OUTPUT = "spantape.cost.output"
COST_CACHED = "spantape.cost.cached"
COST_TOTAL = "spantape.cost.total"
COST_CURRENCY = "spantape.cost.currency"
COST_SOURCE = "spantape.cost.source"
COST_PRICE_DATE = "spantape.cost.price_date"

SCOPE = "spantape"
"""Instrumentation scopes of ours are this name, or begin with it and a dot."""
